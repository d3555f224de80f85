import {
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { toFault } from '../aws/errors.ts'
import { type Persistence, untilItWorks } from '../aws/retry.ts'
import type { Outcome, RunEnd } from '../protocol/outcomes.ts'

const numberDigits = 16
const timeDigits = 15
/** Readers' clocks may differ by so much, and a marker still be seen by all. */
const clockSkewMilliseconds = 3_600_000

/**
 * What several readers agree on, as objects of `resultsBucket`. Each is written once, with If-None-Match, and
 * never changed: whoever comes second finds what the first has written.
 *
 *     runs/<run>/outcomes/<n>.json   what became of the n-th picture
 *     runs/<run>/end.json            how many there are
 *     runs/<run>/results.txt, .json  the result
 *     finished/<time>-<state>-<run>  by which every reader learns that it is there
 */
export class SharedStore {
  readonly #s3: S3Client
  readonly #bucket: string
  readonly #persistence: Omit<Persistence, 'what'>

  constructor(s3: S3Client, bucket: string, persistence: Omit<Persistence, 'what'>) {
    this.#s3 = s3
    this.#bucket = bucket
    this.#persistence = persistence
  }

  hasOutcome(run: string, n: number): Promise<boolean> {
    return this.#has(outcomeKey(run, n))
  }

  /** @returns when there is an outcome: this one, or one that another reader has written before */
  async putOutcome(run: string, outcome: Outcome): Promise<void> {
    await this.#putOnce(outcomeKey(run, outcome.n), JSON.stringify(outcome))
  }

  async outcome(run: string, n: number): Promise<Outcome> {
    return JSON.parse((await this.#get(outcomeKey(run, n))).toString())
  }

  /** @returns the numbers that have an outcome, in order, from `after` on: at most a thousand */
  async outcomeNumbers(run: string, after: number): Promise<number[]> {
    const keys = await this.#list(`runs/${run}/outcomes/`, outcomeKey(run, after))
    return keys.map((key) => Number(/(\d+)\.json$/.exec(key)?.[1]))
  }

  /** @returns the end that holds: this one, or the one written before */
  async putEnd(run: string, end: StoredEnd): Promise<StoredEnd> {
    if (await this.#putOnce(`runs/${run}/end.json`, JSON.stringify(end))) return end
    return JSON.parse((await this.#get(`runs/${run}/end.json`)).toString())
  }

  /** @returns whether this was the first; otherwise the result of another reader stands */
  putResult(run: string, name: ResultName, content: Uint8Array | string): Promise<boolean> {
    return this.#putOnce(`runs/${run}/${name}`, content)
  }

  result(run: string, name: ResultName): Promise<Buffer> {
    return this.#get(`runs/${run}/${name}`)
  }

  /** Tells every reader that a run is over. */
  async putMarker(run: string, at: number, state: RunOver['state']): Promise<void> {
    await this.#putOnce(`finished/${padded(at, timeDigits)}-${state}-${run}`, state)
  }

  /** @returns the runs that were over at `since` (ms) or later, and some from before: clocks differ */
  async markers(since: number): Promise<RunOver[]> {
    const from = padded(Math.max(0, since - clockSkewMilliseconds), timeDigits)
    const keys = await this.#list('finished/', `finished/${from}`)
    return keys.flatMap((key) => {
      const [, time, state, run] = /^finished\/(\d+)-(complete|abandoned)-(.+)$/.exec(key) ?? []
      if (!run || (state !== 'complete' && state !== 'abandoned')) return []
      return [{ run, state, at: Number(time) }]
    })
  }

  /** @returns whether it was written; false when the key had an object already */
  #putOnce(key: string, content: Uint8Array | string): Promise<boolean> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body: content, IfNoneMatch: '*' })
    return this.#persist(`write ${key}`, async () => {
      try {
        await this.#s3.send(command)
        return true
      } catch (error) {
        if (toFault(error).code === 'PreconditionFailed') return false
        throw error
      }
    })
  }

  #has(key: string): Promise<boolean> {
    return this.#persist(`look for ${key}`, async () => {
      try {
        await this.#s3.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: key }))
        return true
      } catch (error) {
        if (toFault(error).kind === 'gone') return false
        throw error
      }
    })
  }

  #get(key: string): Promise<Buffer> {
    return this.#persist(`read ${key}`, async () => {
      const { Body } = await this.#s3.send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }))
      return Buffer.from((await Body?.transformToByteArray()) ?? [])
    })
  }

  /** One page: up to a thousand keys after `after`. */
  #list(prefix: string, after: string): Promise<string[]> {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, StartAfter: after })
    return this.#persist(`list ${prefix}`, async () => {
      const { Contents = [] } = await this.#s3.send(command)
      return Contents.flatMap(({ Key }) => Key ?? [])
    })
  }

  #persist<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    return untilItWorks(attempt, {
      ...this.#persistence,
      what: `${what} in the results bucket "${this.#bucket}"`,
    })
  }
}

/** A run's end, and when it came to the first reader (ms since 1970). */
export type StoredEnd = RunEnd & { readonly at: number }

/** A run that takes no more outcomes; `at` in ms since 1970. */
export interface RunOver {
  readonly run: string
  readonly at: number
  readonly state: 'complete' | 'abandoned'
}

export type ResultName = 'results.txt' | 'results.json'

function outcomeKey(run: string, n: number): string {
  return `runs/${run}/outcomes/${padded(n, numberDigits)}.json`
}

function padded(number: number, digits: number): string {
  return String(number).padStart(digits, '0')
}
