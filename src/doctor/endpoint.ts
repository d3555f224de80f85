import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { DeserializeMiddleware, MiddlewareStack } from '@smithy/types'
import { createClients, type Environment } from '../aws/clients.ts'
import { type AwsError, classify, incompleteAnswer } from '../aws/errors.ts'
import { explainFailure } from '../aws/explain.ts'
import { type Finding, fail, ok, sharedCause, skip } from './finding.ts'

/** Where the AWS SDK takes the addresses of services from, besides its shared configuration file. */
const endpointVariables = [
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL_SQS',
  'AWS_ENDPOINT_URL_REKOGNITION',
] as const
/** Signatures are valid for five minutes either way (Signature Version 4); half of that is time to act. */
const maxSkewMs = 150_000
/** The date of an answer has whole seconds, and its way takes time. */
const normalSkewMs = 3000
const context = { service: 's3', operation: 'ListObjectsV2' } as const

/** @returns what is wrong with the variables; with `localhost:4566` the SDK fails in ways that nobody understands */
export function checkEndpointVariables(environment: Environment): Finding[] {
  return endpointVariables.flatMap((name) => {
    const value = environment[name]
    if (!value || isHttpUrl(value)) return []
    const isWithoutScheme = !value.includes('://') && isHttpUrl(`http://${value}`)
    const remedy = isWithoutScheme
      ? `set it to http://${value}, or unset it to use Amazon itself`
      : 'set it to an address such as http://127.0.0.1:4566, or unset it to use Amazon itself'
    const detail = `${name} is "${value}", which does not begin with http:// or https://`
    return [fail('endpoint', 'settings', detail, remedy)]
  })
}

function isHttpUrl(text: string): boolean {
  return /^https?:\/\/./.test(text) && URL.canParse(text)
}

/**
 * Two findings: whether S3 answers, and whether this machine's clock agrees with S3's. S3 is asked with made-up
 * credentials: whoever refuses them has answered, and every answer has a date.
 */
export async function checkEndpoint(
  { region, bucket }: { region: string; bucket: string },
  environment: Environment,
  signal: AbortSignal,
): Promise<Finding[]> {
  const credentials = { accessKeyId: 'imgpipe-doctor', secretAccessKey: 'none' }
  const { s3, close } = createClients({ region }, { environment, credentials })
  const seen: Seen = {}
  watchAnswers(s3.middlewareStack as unknown as MiddlewareStack<object, object>, seen)
  try {
    const command = new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1 })
    const { Name } = await s3.send(command, { abortSignal: signal })
    if (Name === undefined) throw incompleteAnswer(context, 'the answer is not from AWS')
  } catch (error) {
    const failure = classify(error, context)
    // A code that S3 is known to send: S3 itself has answered.
    if (failure.code === '') return [noEndpoint(seen.address, failure), skip('clock', notAsked)]
  } finally {
    close()
  }
  const address = seen.address ?? 'an unknown address'
  return [ok('endpoint', `S3 answers at ${address}`), clockFinding(seen)]
}

const notAsked = 'not checked: S3 does not answer'

/** What an answer of S3 shows. */
interface Seen {
  address?: string
  /** the answer's Date header, and when it came */
  date?: string
  at?: number
}

function watchAnswers(stack: MiddlewareStack<object, object>, seen: Seen): void {
  const watch: DeserializeMiddleware<object, object> = (next) => async (args) => {
    const { protocol, hostname, port } = args.request as { protocol: string; hostname: string; port?: number }
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
  stack.add(watch, { step: 'deserialize', priority: 'low', name: 'imgpipeDoctor' })
}

function noEndpoint(address: string | undefined, failure: AwsError): Finding {
  const cause = sharedCause(failure)
  const where = address ?? 'S3'
  if (/wrong version number/i.test(failure.message)) {
    const remedy = 'set AWS_ENDPOINT_URL to an address with http://'
    return { ...fail('endpoint', 'settings', `${where} does not use TLS`, remedy), cause }
  }
  const options = { permission: '', missing: '', address }
  const { reason, problem, remedy } = explainFailure(failure, options)
  const detail = `${where}: ${problem.replace(`${failure.operation}: `, '')}`
  return { ...fail('endpoint', reason, detail, remedy), cause }
}

function clockFinding({ date = '', at = 0, address }: Seen): Finding {
  const aheadMs = at - Date.parse(date)
  if (Number.isNaN(aheadMs)) return skip('clock', 'not checked: the answer of S3 has no date')
  const distanceMs = Math.abs(aheadMs)
  if (distanceMs < normalSkewMs) return ok('clock', `agrees with that of S3 at ${address}`)
  const detail = `${duration(distanceMs)} ${aheadMs < 0 ? 'behind' : 'ahead of'} that of S3 at ${address}`
  if (distanceMs <= maxSkewMs) return ok('clock', detail)
  const remedy =
    'set it, for example with "sudo timedatectl set-ntp true": AWS rejects requests that are five minutes off'
  return fail('clock', 'settings', detail, remedy)
}

function duration(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} minutes` : `${Math.round(ms / 3_600_000)} hours`
}
