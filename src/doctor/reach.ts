import { HeadBucketCommand, S3Client } from '@aws-sdk/client-s3'
import type { DeserializeMiddleware, MiddlewareStack } from '@smithy/types'
import { toFault } from '../aws/errors.ts'
import { type Finding, right, unknown, wrong } from './finding.ts'

/** What an unsigned request to S3 tells, whoever asks: whether and where S3 answers, and what time it is there. */
export interface Reached {
  /** `https://s3.us-east-1.amazonaws.com` */
  readonly address: string | undefined
  /** ms by which this machine's clock is ahead of S3's; undefined when S3 did not answer */
  readonly aheadMilliseconds: number | undefined
  /** why S3 did not answer */
  readonly why: string | undefined
}

/** Signatures are good for five minutes either way (Signature Version 4); half of that is time to act. */
const mostSkewMilliseconds = 150_000

/** Asks for the bucket without a signature: the answer may be a refusal, but it has a date. */
export async function reachS3(
  { region, bucket }: { region: string; bucket: string },
  signal: AbortSignal,
): Promise<Reached> {
  const credentials = { accessKeyId: 'none', secretAccessKey: 'none' }
  // One attempt, unsigned: no credentials are needed to be told the time.
  const s3 = new S3Client({
    region,
    credentials,
    signer: { sign: async (request) => request },
    maxAttempts: 1,
  })
  const seen: { address?: string; date?: string; at?: number } = {}
  watchAnswers(s3, seen)
  const why = await s3.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal }).then(
    () => undefined,
    (error: unknown) => toFault(error),
  )
  s3.destroy()
  const date = Date.parse(seen.date ?? '')
  const ahead = Number.isNaN(date) ? undefined : (seen.at ?? 0) - date
  const silence = why?.kind === 'stopped' ? 'no answer came in time' : why?.message
  return {
    address: seen.address,
    aheadMilliseconds: ahead,
    why: ahead === undefined ? (silence ?? 'no date in the answer') : undefined,
  }
}

function watchAnswers(s3: S3Client, seen: { address?: string; date?: string; at?: number }): void {
  const watch: DeserializeMiddleware<object, object> = (next) => async (args) => {
    const { protocol, hostname, port } = args.request as {
      protocol: string
      hostname: string
      port?: number
    }
    seen.address = `${protocol}//${hostname}${port ? `:${port}` : ''}`
    const result = await next(args)
    const { headers } = result.response as { headers?: Record<string, string> }
    if (headers?.date !== undefined) {
      seen.date = headers.date
      seen.at = Date.now()
    }
    return result
  }
  // Inside the deserializer, which throws at a refusal and would take its headers away.
  const stack = s3.middlewareStack as unknown as MiddlewareStack<object, object>
  stack.add(watch, { step: 'deserialize', priority: 'low', name: 'imgpipeDoctor' })
}

/** The date of an answer has whole seconds, and its way takes time: a little is no error. */
export function checkClock({ aheadMilliseconds, why, address }: Reached): Finding {
  if (aheadMilliseconds === undefined) return unknown('clock', `not known, for S3 does not answer (${why})`)
  const seconds = Math.round(Math.abs(aheadMilliseconds) / 1000)
  const side = `${aheadMilliseconds < 0 ? 'behind' : 'ahead of'} that of S3 at ${address}`
  if (Math.abs(aheadMilliseconds) <= mostSkewMilliseconds)
    return right('clock', seconds < 3 ? `agrees with that of S3 at ${address}` : `${seconds} s ${side}`)
  const remedy =
    'set it right, such as with "sudo timedatectl set-ntp true": AWS refuses requests that are five minutes off'
  return wrong('clock', 'settings', `${duration(seconds)} ${side}`, remedy)
}

function duration(seconds: number): string {
  return seconds < 7200 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds / 3600)} hours`
}
