import { createHash } from 'node:crypto'
import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { AwsError, toFailure } from '../aws/errors.ts'
import { Failure } from '../flow/failure.ts'
import { type RetryOptions, retryUntilSuccess } from '../flow/retry.ts'
import type { Outcome, RunEnd } from '../protocol/outcomes.ts'
import type { Answer } from '../state/answers.ts'

const numberDigits = 16
const requestMs = 120_000

export type RunState = 'complete' | 'abandoned'

/** A run that takes no more outcomes, at its place in the order in which runs were finished. */
export interface FinishedRun {
  readonly position: number
  readonly run: string
  readonly state: RunState
}

/** A run's end, and when it came to the first reader (ms since 1970). */
export type SharedEnd = RunEnd & { readonly at: number }

/**
 * What several readers agree on, as objects of `resultsBucket`. Each is written once (`If-None-Match`) and never changed:
 * whoever comes second finds what the first one has written.
 *
 *     runs/<run>/outcomes/<n>.json   what became of the n-th image
 *     runs/<run>/end.json            how many there are
 *     runs/<run>/results.txt, .json  the results
 *     finished/<position>            run and state: the order of finishing, which depends on no clock
 *     answers/<hash>.json            DetectText's answer about an object
 */
export class ResultsExchange {
  readonly #s3: S3Client
  readonly #bucket: string
  readonly #retry: Omit<RetryOptions, 'what'>

  constructor(s3: S3Client, bucket: string, retry: Omit<RetryOptions, 'what'>) {
    this.#s3 = s3
    this.#bucket = bucket
    this.#retry = retry
  }

  hasOutcome(run: string, n: number): Promise<boolean> {
    return this.#has(outcomeKey(run, n))
  }

  /** @returns when there is an outcome: this one, or one that another reader has written before */
  async putOutcome(run: string, outcome: Outcome): Promise<void> {
    await this.#putOnce(outcomeKey(run, outcome.n), JSON.stringify(outcome))
  }

  outcome(run: string, n: number): Promise<Outcome> {
    return this.#getJson(outcomeKey(run, n))
  }

  /** @returns the numbers above `after` that have an outcome, in order: a thousand at most */
  async outcomeNumbers(run: string, after: number): Promise<number[]> {
    const keys = await this.#list(`runs/${run}/outcomes/`, outcomeKey(run, after))
    return keys.map((key) => Number(/(\d+)\.json$/.exec(key)?.[1]))
  }

  /** @returns the end that holds: this one, or the one written before */
  async putEnd(run: string, end: SharedEnd): Promise<SharedEnd> {
    const key = `runs/${run}/end.json`
    return (await this.#putOnce(key, JSON.stringify(end))) ? end : this.#getJson(key)
  }

  /** Writes results unless another reader has. */
  async putResults(run: string, results: Results): Promise<void> {
    await this.#putOnce(`runs/${run}/results.txt`, results.text)
    await this.#putOnce(`runs/${run}/results.json`, results.json)
  }

  async results(run: string): Promise<Results> {
    return {
      text: await this.#get(`runs/${run}/results.txt`),
      json: await this.#get(`runs/${run}/results.json`),
    }
  }

  /** @returns the answer about an object, if some reader has paid for it */
  async answer(object: { bucket: string; key: string; etag: string }): Promise<SharedAnswer | undefined> {
    try {
      return await this.#getJson(answerKey(object))
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  async putAnswer(
    object: { bucket: string; key: string; etag: string },
    answer: SharedAnswer,
  ): Promise<void> {
    await this.#putOnce(answerKey(object), JSON.stringify(answer))
  }

  /** Appends a run to the order of finished runs. Two readers may append the same run: the first one counts. */
  async appendFinished(run: string, state: RunState, after: number): Promise<void> {
    for (let position = after; ; ) {
      for (const finished of await this.finishedAfter(position)) {
        if (finished.run === run) return
        position = finished.position
      }
      if (await this.#putOnce(finishedKey(position + 1), JSON.stringify({ run, state }))) return
    }
  }

  /** @returns the finished runs behind a position, in order; all of them, however many there are */
  async finishedAfter(position: number): Promise<FinishedRun[]> {
    const finished: FinishedRun[] = []
    for (let after = position; ; ) {
      const keys = await this.#list('finished/', finishedKey(after))
      for (const key of keys) {
        const { run, state }: { run: string; state: RunState } = await this.#getJson(key)
        after = Number(key.slice('finished/'.length))
        finished.push({ position: after, run, state })
      }
      if (keys.length < 1000) return finished
    }
  }

  /** @returns whether it was written; false when the key had an object already */
  #putOnce(key: string, content: Uint8Array | string): Promise<boolean> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: content, IfNoneMatch: '*' })
    return this.#request(`write ${key.split('/')[0]}/`, 'PutObject', async (abortSignal) => {
      try {
        await this.#s3.send(command, { abortSignal })
        return true
      } catch (error) {
        const failure = toFailure(error, { service: 's3', operation: 'PutObject' })
        if (failure.code === 'PreconditionFailed') return false
        throw failure
      }
    })
  }

  async #has(key: string): Promise<boolean> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key })
    try {
      await this.#request('look for outcomes', 'HeadObject', (abortSignal) =>
        this.#s3.send(command, { abortSignal }),
      )
      return true
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
  }

  async #getJson<T>(key: string): Promise<T> {
    return JSON.parse((await this.#get(key)).toString())
  }

  #get(key: string): Promise<Buffer> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key })
    return this.#request(`read ${key.split('/')[0]}/`, 'GetObject', async (abortSignal) => {
      const { Body, ETag, ContentLength } = await this.#s3.send(command, { abortSignal })
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? [])
      if (ETag === undefined || (ContentLength !== undefined && ContentLength !== bytes.length)) {
        throw new Failure('transient', 'GetObject', `GetObject: the answer about ${key} is incomplete`)
      }
      return bytes
    })
  }

  /** One page: up to a thousand keys after `after`. */
  #list(prefix: string, after: string): Promise<string[]> {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, StartAfter: after })
    return this.#request(`list ${prefix.split('/')[0]}/`, 'ListObjectsV2', async (abortSignal) => {
      const { Contents = [], Name, IsTruncated } = await this.#s3.send(command, { abortSignal })
      if (Name === undefined || IsTruncated === undefined) {
        throw new Failure(
          'transient',
          'ListObjectsV2',
          'ListObjectsV2: the answer is not a page of a listing',
        )
      }
      return Contents.flatMap(({ Key }) => Key ?? [])
    })
  }

  /** Keys stay out of `what`, so that an outage with many objects in flight is one line of the log. */
  #request<T>(what: string, operation: string, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return retryUntilSuccess(
      async () => {
        try {
          return await send(AbortSignal.timeout(requestMs))
        } catch (error) {
          if (error instanceof Failure) throw error
          throw toFailure(error, { service: 's3', operation })
        }
      },
      { ...this.#retry, what: `${what} in the results bucket "${this.#bucket}"` },
    )
  }
}

export interface Results {
  readonly text: Buffer
  readonly json: Buffer
}

/** Every line of text, whatever its confidence. */
export type SharedAnswer = Answer<unknown>

function isNotFound(error: unknown): boolean {
  return error instanceof AwsError && error.kind === 'subject' && error.status === 404
}

function outcomeKey(run: string, n: number): string {
  return `runs/${run}/outcomes/${padded(n)}.json`
}

function finishedKey(position: number): string {
  return `finished/${padded(position)}`
}

function answerKey({ bucket, key, etag }: { bucket: string; key: string; etag: string }): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([bucket, key, etag]))
    .digest('hex')
  return `answers/${hash}.json`
}

function padded(number: number): string {
  return String(number).padStart(numberDigits, '0')
}
