import { createHash } from 'node:crypto'
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { requestDeadlineMs } from '../aws/clients.ts'
import { AwsError, incompleteAnswer, toFailure } from '../aws/errors.ts'
import { destroyBody, readWholeBody } from '../aws/response-body.ts'
import { type RetryOptions, retryUntilSuccess } from '../flow/retry.ts'
import { ShutdownError, type ShutdownSignals, withDeadline } from '../host/shutdown.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import { resultsJsonEnd } from '../results/format.ts'
import {
  type Check,
  type FinishedEntry,
  isFinishedEntry,
  isOutcome,
  isSharedAnswer,
  isSharedEnd,
  type RunState,
  type SharedAnswer,
  type SharedEnd,
} from './exchange-format.ts'

const numberDigits = 16

export type { RunState, SharedAnswer, SharedEnd }

/** A place in the order of finished runs, and the object that is there; at the beginning there is none. */
export interface FinishedPlace {
  readonly position: number
  readonly etag?: string | undefined
}

export const orderStart: FinishedPlace = { position: 0 }

/** A run that takes no more outcomes, at its place in the order in which runs were finished. */
export interface FinishedRun extends FinishedEntry, FinishedPlace {}

/**
 * What several readers agree on, as objects of `resultsBucket`. But for answers, each is written once (`If-None-Match`) and
 * never changed: whoever comes second finds what the first one has written. Content that is not what its key says is none:
 * it is asked for again, as after any failure that may pass.
 *
 *     runs/<run>/outcomes/<n>.json   what became of the n-th image
 *     runs/<run>/end.json            how many there are
 *     runs/<run>/results.txt, .json  the results
 *     finished/<position>            run and state: the order of finishing, which depends on no clock
 *     answers/<hash>.json            DetectText's answer about an object, the newest that was paid for
 */
export class ResultsExchange {
  readonly #s3: S3Client
  readonly #bucket: string
  readonly #retry: Omit<RetryOptions, 'what'>
  readonly #forced: AbortSignal

  /** @param retry.signal ends waiting and loops; a forced shutdown aborts transfers too */
  constructor(
    s3: S3Client,
    bucket: string,
    retry: Omit<RetryOptions, 'what'>,
    { forced }: Pick<ShutdownSignals, 'forced'>,
  ) {
    this.#s3 = s3
    this.#bucket = bucket
    this.#retry = retry
    this.#forced = forced
  }

  /** Reads the outcome itself: a message is deleted because of it. */
  async hasOutcome(run: string, n: number): Promise<boolean> {
    return (await unlessNotFound(this.outcome(run, n))) !== undefined
  }

  /** @returns the outcome that holds: this one, or one that another reader has written before */
  async putOutcome(run: string, outcome: Outcome): Promise<Outcome> {
    const isFirst = await this.#putOnce(outcomeKey(run, outcome.n), JSON.stringify(outcome))
    return isFirst ? outcome : this.outcome(run, outcome.n)
  }

  outcome(run: string, n: number): Promise<Outcome> {
    return this.#getJson(outcomeKey(run, n), (value): value is Outcome => isOutcome(value) && value.n === n)
  }

  /** @returns the numbers above `after` that have an outcome, in order: a thousand at most */
  async outcomeNumbers(run: string, after: number): Promise<number[]> {
    const objects = await this.#list(`runs/${run}/outcomes/`, outcomeKey(run, after))
    return objects.map(({ key }) => Number(/(\d+)\.json$/.exec(key)?.[1]))
  }

  /** @returns the end that holds: this one, or the one written before */
  async putEnd(run: string, end: SharedEnd): Promise<SharedEnd> {
    const key = `runs/${run}/end.json`
    return (await this.#putOnce(key, JSON.stringify(end))) ? end : this.#getJson(key, isSharedEnd)
  }

  /** Writes results unless another reader has. */
  async putResults(run: string, results: Results): Promise<void> {
    await this.#putOnce(`runs/${run}/results.txt`, results.text)
    await this.#putOnce(`runs/${run}/results.json`, results.json)
  }

  async results(run: string): Promise<Results> {
    return {
      text: await this.#get(`runs/${run}/results.txt`, (bytes) => bytes),
      json: await this.#get(`runs/${run}/results.json`, jsonBytes),
    }
  }

  /** @returns the answer about an object, if some reader has paid for it */
  async answer(object: { bucket: string; key: string; etag: string }): Promise<SharedAnswer | undefined> {
    return unlessNotFound(this.#getJson(answerKey(object), isSharedAnswer))
  }

  /** In the place of an older one: only who was told to ask anew has a second answer about an object. */
  async putAnswer(
    object: { bucket: string; key: string; etag: string },
    answer: SharedAnswer,
  ): Promise<void> {
    await this.#put(answerKey(object), JSON.stringify(answer))
  }

  /** Appends a run to the order of finished runs. Two readers may append the same run: the first one counts. */
  async appendFinished(run: string, state: RunState, after: FinishedPlace): Promise<void> {
    for (let last = after; ; ) {
      const places = await this.finishedAfter(last)
      if (!places) last = orderStart
      for (const place of places ?? []) {
        this.#throwIfShutdown()
        if ((await this.finished(place.position)).run === run) return
        last = place
      }
      if (places && (await this.#putOnce(finishedKey(last.position + 1), JSON.stringify({ run, state }))))
        return
    }
  }

  /**
   * The places behind another one, in order; all of them, however many there are.
   *
   * @returns undefined when the other one is not there any more. Somebody has deleted it, as a lifecycle rule of the bucket does,
   *   and the order may have begun anew: it has to be followed from its start
   */
  async finishedAfter(after: FinishedPlace): Promise<FinishedPlace[] | undefined> {
    const places: FinishedPlace[] = []
    for (let last = Math.max(0, after.position - 1); ; last = places.at(-1)?.position ?? last) {
      const objects = await this.#list('finished/', finishedKey(last))
      for (const { key, etag } of objects)
        places.push({ position: Number(key.slice('finished/'.length)), etag })
      if (objects.length < 1000) break
      this.#throwIfShutdown()
    }
    if (after.position === 0) return places
    const found = places.shift()
    const isSame = found?.position === after.position && (after.etag ?? found.etag) === found.etag
    return isSame ? places : undefined
  }

  async finished(position: number): Promise<FinishedRun> {
    return { position, ...(await this.#getJson(finishedKey(position), isFinishedEntry)) }
  }

  /** @returns whether it was written; false when the key had an object already */
  async #putOnce(key: string, content: Uint8Array | string): Promise<boolean> {
    try {
      await this.#put(key, content, '*')
      return true
    } catch (error) {
      if (error instanceof AwsError && error.code === 'PreconditionFailed') return false
      throw error
    }
  }

  async #put(key: string, Body: Uint8Array | string, IfNoneMatch?: '*'): Promise<void> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, Body, IfNoneMatch })
    const what = `write ${key.split('/')[0]}/`
    await this.#request(what, 'PutObject', async () => {
      const { ETag, $metadata } = await this.#within(Buffer.byteLength(Body), (abortSignal) =>
        this.#s3.send(command, { abortSignal }),
      )
      // Whatever else answers with 200 has written nothing.
      if (ETag === undefined || $metadata.requestId === undefined) await this.#confirmWritten(key, Body)
    })
  }

  /** What has no request ID, as an answer of S3 has, shows nothing until it is read. */
  async #confirmWritten(key: string, content: Uint8Array | string): Promise<void> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key })
    const read = async () => {
      const { Body } = await this.#within(0, (abortSignal) => this.#s3.send(command, { abortSignal }))
      return this.#within(Buffer.byteLength(content), (signal) => readWholeBody(Body, signal))
    }
    const written = await unlessNotFound(
      read().catch((error: unknown) => {
        throw toFailure(error, { ...getContext, forced: this.#forced })
      }),
    )
    if (!written?.equals(Buffer.from(content))) throw incompleteAnswer(putContext, `${key} was not written`)
  }

  #getJson<Content>(key: string, isContent: Check<Content>): Promise<Content> {
    return this.#get(key, (bytes) => {
      const value = parsedJson(bytes.toString())
      if (isContent(value)) return value
      throw incompleteAnswer(getContext, `${key} is not what its name says`)
    })
  }

  /**
   * The length may be missing: some proxies send everything in chunks, whose end is known.
   *
   * @param parse throws what is wrong with the content, which is then read again
   */
  #get<Content>(key: string, parse: (bytes: Buffer) => Content): Promise<Content> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key })
    return this.#request(`read ${key.split('/')[0]}/`, 'GetObject', async () => {
      const {
        Body,
        ETag,
        ContentLength: size,
      } = await this.#within(0, (abortSignal) => this.#s3.send(command, { abortSignal }))
      if (ETag === undefined) {
        destroyBody(Body)
        throw incompleteAnswer(getContext, `the answer about ${key} has no ETag`)
      }
      const bytes = await this.#within(size ?? maxUnknownBytes, (signal) => readWholeBody(Body, signal))
      if (size !== undefined && bytes.length !== size)
        throw incompleteAnswer(getContext, `${key} is not as long as announced`)
      return parse(bytes)
    })
  }

  /** One page: up to a thousand keys after `after`. */
  #list(prefix: string, after: string): Promise<{ key: string; etag: string | undefined }[]> {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, StartAfter: after })
    return this.#request(`list ${prefix.split('/')[0]}/`, 'ListObjectsV2', async () => {
      const {
        Contents = [],
        Name,
        IsTruncated,
      } = await this.#within(0, (abortSignal) => this.#s3.send(command, { abortSignal }))
      if (Name === undefined || IsTruncated === undefined) {
        const context = { service: 's3', operation: 'ListObjectsV2' } as const
        throw incompleteAnswer(context, 'the answer is not a page of a listing')
      }
      return Contents.flatMap(({ Key: key, ETag: etag }) => (key === undefined ? [] : [{ key, etag }]))
    })
  }

  /** Keys stay out of `what`, so that an outage with many objects in flight is one line of the log. */
  #request<T>(what: string, operation: string, attempt: () => Promise<T>): Promise<T> {
    const context = { service: 's3', operation, forced: this.#forced } as const
    return retryUntilSuccess(
      () =>
        attempt().catch((error: unknown) => {
          throw toFailure(error, context)
        }),
      { ...this.#retry, what: `${what} in the results bucket "${this.#bucket}"` },
    )
  }

  #throwIfShutdown(): void {
    if (this.#retry.signal.aborted) throw new ShutdownError()
  }

  /** A transfer may take as long as its size needs on the slowest line that can be used. */
  #within<T>(bytes: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(requestDeadlineMs(bytes), this.#forced, work)
  }
}

const getContext = { service: 's3', operation: 'GetObject' } as const
const putContext = { service: 's3', operation: 'PutObject' } as const
/** What a body whose length is not announced may have: for its deadline. */
const maxUnknownBytes = 10_000_000

/** It may be far too large to be parsed. */
function jsonBytes(bytes: Buffer): Buffer {
  if (bytes.at(0) === 0x7b && bytes.subarray(-resultsJsonEnd.length).toString() === resultsJsonEnd)
    return bytes
  throw incompleteAnswer(getContext, 'results.json is not what its name says')
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export interface Results {
  readonly text: Buffer
  readonly json: Buffer
}

/** @returns undefined when there is no such object */
export async function unlessNotFound<Content>(reading: Promise<Content>): Promise<Content | undefined> {
  try {
    return await reading
  } catch (error) {
    if (error instanceof AwsError && error.kind === 'subject' && error.status === 404) return undefined
    throw error
  }
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
