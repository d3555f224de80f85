import type { Message } from '@aws-sdk/client-sqs'
import type { OutageLog } from '../flow/outage-log.ts'
import type { Log } from '../host/log.ts'
import { ShutdownError } from '../host/shutdown.ts'
import type { EndMessage, ImageMessage } from '../protocol/messages.ts'
import type { Outcome, Reading, TextLine } from '../protocol/outcomes.ts'
import { parseMessage } from '../protocol/parse-message.ts'
import type { Answer, AnswerStore } from '../state/answers.ts'
import type { DailyCalls } from '../state/calls.ts'
import type { OutcomeSource } from '../state/reader-runs.ts'
import type { ResultsExchange } from './exchange.ts'
import type { ForeignRuns } from './foreign-runs.ts'
import type { HeldMessages } from './held-messages.ts'
import type { ImageState, RunCoordinator } from './run-coordinator.ts'
import type { ImageText, TextReader } from './texts.ts'

export interface MessageHandlerParts {
  readonly bucket: string
  readonly minTextConfidence: number
  readonly reuseAnswers: boolean
  readonly coordinator: RunCoordinator
  /** undefined: several readers cannot agree on messages without a run */
  readonly foreign: ForeignRuns | undefined
  readonly exchange: ResultsExchange | undefined
  readonly held: HeldMessages
  readonly texts: TextReader
  readonly answers: AnswerStore<readonly TextLine[]>
  readonly calls: DailyCalls
  readonly outages: OutageLog
  readonly log: Log
  readonly onRecorded: () => void
}

const rememberedRejections = 1000

/** What an image message is about, once its run is known. */
interface Work {
  readonly run: string
  readonly n: number
  readonly image: ImageMessage
}

/**
 * Handles one message: received → held → its outcome committed → deleted. Whatever ends the process before the last step,
 * the message comes again and its outcome is known. A message that cannot be handled is left for the dead-letter queue.
 */
export class MessageHandler {
  readonly #parts: MessageHandlerParts
  /** messages about images in progress, by run and number: a repeated message waits for the first one */
  readonly #inProgress = new Map<string, Message[]>()
  readonly #rejected = new Set<string>()

  constructor(parts: MessageHandlerParts) {
    this.#parts = parts
  }

  /** Whether a message ends a run: it may wait for long, and needs no task slot. */
  isEnd(message: Message): boolean {
    return message.Body?.trim() === '-1'
  }

  /** A shutdown leaves the message held: it is released at the end. @throws {ImgpipeError} */
  async handle(message: Message): Promise<void> {
    try {
      await this.#handle(message)
    } catch (error) {
      if (!(error instanceof ShutdownError)) throw error
    }
  }

  async #handle(message: Message): Promise<void> {
    const parsed = parseMessage(message)
    if (parsed.kind === 'unreadable') return this.#reject(message, parsed.reason)
    if (parsed.run === undefined && !this.#parts.foreign) {
      return this.#reject(message, 'it has no attribute "run", which readers that share a resultsBucket need')
    }
    return parsed.kind === 'end' ? this.#handleEnd(message, parsed) : this.#handleImage(message, parsed)
  }

  async #handleImage(message: Message, image: ImageMessage): Promise<void> {
    const { held, coordinator } = this.#parts
    if (this.#isOfOtherBucket(image)) return this.#keepForeignBucket(message, image.bucket)
    const place = await this.#placeOf(message, image)
    if (!place) return held.delete(message)
    const name = `${place.run} ${place.n}`
    const first = this.#inProgress.get(name)
    if (first) {
      first.push(message)
      return
    }
    const messages = [message]
    this.#inProgress.set(name, messages)
    let state: ImageState
    try {
      state = await coordinator.state(place.run, place.n)
      if (state === 'pending') await this.#readAndRecord({ ...place, image }, message)
    } finally {
      // A message that comes from now on finds the outcome by itself.
      this.#inProgress.delete(name)
    }
    if (state === 'out-of-range') {
      const reason = `its number ${place.n} is beyond the count of run ${place.run}`
      for (const same of messages) this.#reject(same, reason)
    } else {
      await Promise.all(messages.map((same) => held.delete(same)))
    }
  }

  async #placeOf(
    message: Message,
    { run, n, key }: ImageMessage,
  ): Promise<{ run: string; n: number } | undefined> {
    if (run !== undefined && n !== undefined) return { run, n }
    return this.#parts.foreign?.place(key, message.MessageId ?? key)
  }

  #readAndRecord({ run, n, image }: Work, message: Message): Promise<void> {
    const { texts, coordinator, exchange, onRecorded, reuseAnswers } = this.#parts
    const askedBy = image.fresh || !reuseAnswers ? run : undefined
    return texts.read(image, askedBy, async (text) => {
      const outcome = outcomeOf({ run, n, image }, message, this.#readingOf(text))
      const keep = (seq: number) => this.#keep(image.key, text, { run, seq })
      if (exchange) {
        await coordinator.commitFor(run, keep)
        await this.#share(exchange, run, image.key, text)
      }
      await coordinator.record(run, outcome, sourceOf(text), exchange ? undefined : keep)
      onRecorded()
      this.#logOutcome(run, outcome)
    })
  }

  /**
   * Gives other readers the answer that this run has paid for, maybe before a restart. It is durable here already: the results
   * bucket may be out for as long as it likes, and nothing is asked again.
   */
  async #share(exchange: ResultsExchange, run: string, key: string, text: ImageText): Promise<void> {
    const { answers, bucket } = this.#parts
    if (text.kind !== 'answered' || text.etag === undefined) return
    const object = { key, etag: text.etag }
    const asked = answers.find(object, { maxMinConfidence: 0, askedBy: run })
    if (asked) await exchange.putAnswer({ bucket, ...object }, asked)
  }

  /** Inside a commit: the answer is durable before anything is done because of it. */
  #keep(key: string, text: ImageText, { run, seq }: { run: string; seq: number }): void {
    const { answers, calls } = this.#parts
    if (text.kind !== 'answered') return
    if (!text.isNew) answers.use(key, seq)
    else if (text.etag !== undefined) {
      const asked = { by: run, seq, at: Date.now(), minConfidence: 0 }
      answers.put({ key, etag: text.etag }, text.answer, asked)
    }
    if (text.isNew && text.answer.kind === 'answer') calls.count('DetectText', 'answered')
  }

  #readingOf(text: ImageText): Reading {
    if (text.kind === 'failed') return { outcome: 'failed', reason: text.reason }
    return readingOf(text.answer, this.#parts.minTextConfidence)
  }

  #logOutcome(run: string, outcome: Outcome): void {
    const { log } = this.#parts
    const { key } = outcome
    if (outcome.outcome === 'failed')
      log.warn('an image could not be read', { run, key, reason: outcome.reason })
    else if (outcome.outcome === 'no-text') log.debug('no text', { run, key })
    else log.debug('text', { run, key, text: outcome.lines.map(({ text }) => text).join(' | ') })
  }

  async #handleEnd(message: Message, parsed: EndMessage): Promise<void> {
    const { coordinator, foreign, held } = this.#parts
    const { run, count } = parsed
    // That a run is given up holds for any reader.
    if (!parsed.abandoned && this.#isOfOtherBucket(parsed))
      return this.#keepForeignBucket(message, parsed.bucket)
    if (run === undefined || count === undefined) {
      await foreign?.endSeen(message.MessageId ?? '')
    } else {
      const { images = 0, failed = 0, failures, abandoned, label } = parsed
      const end = { count, images, failed, failures, abandoned, label }
      const state = await coordinator.recordEnd(run, end)
      if (state === 'contradicted') return this.#reject(message, `run ${run} has ended with another count`)
    }
    await held.delete(message)
  }

  /** Messages of a run that is closed are only deleted, whatever bucket they are about. */
  #isOfOtherBucket<Parsed extends ImageMessage | EndMessage>(
    parsed: Parsed,
  ): parsed is Parsed & { readonly run: string; readonly bucket: string } {
    const { bucket, coordinator } = this.#parts
    if (parsed.bucket === undefined || parsed.bucket === bucket) return false
    return parsed.run !== undefined && !coordinator.isClosed(parsed.run)
  }

  /** Settings are wrong on one of the hosts: the messages are kept, so that correcting them loses nothing. */
  #keepForeignBucket(message: Message, bucket: string): void {
    const { held, outages } = this.#parts
    held.untrack(message)
    outages.wait(
      'read messages of another bucket',
      `messages are about the bucket "${bucket}", but this reader's setting "bucket" is "${this.#parts.bucket}": they are left in the queue until one of the two is corrected`,
      { atOnce: true },
    )
  }

  /** Logged once, never deleted; SQS moves it to the dead-letter queue. */
  #reject(message: Message, reason: string): void {
    const id = message.MessageId ?? ''
    this.#parts.held.untrack(message)
    if (this.#rejected.has(id)) return
    if (this.#rejected.size >= rememberedRejections) this.#rejected.clear()
    this.#rejected.add(id)
    this.#parts.log.warn(`a message is left for the dead-letter queue: ${reason}`, { message: id })
  }
}

/** What an answer says about an image at a confidence, 0 to 100. */
export function readingOf(answer: Answer<readonly TextLine[]>, minTextConfidence: number): Reading {
  if (answer.kind === 'refusal') return { outcome: 'failed', reason: answer.reason }
  const lines = answer.content.filter(({ confidence }) => confidence >= minTextConfidence)
  return lines.length > 0 ? { outcome: 'text', lines } : { outcome: 'no-text' }
}

function sourceOf(text: ImageText): OutcomeSource {
  if (text.kind === 'failed' || text.answer.kind === 'refusal') return 'none'
  return text.isNew ? 'asked' : 'reused'
}

function outcomeOf({ n, image }: Work, message: Message, reading: Reading): Outcome {
  const { key, etag, confidence, boxes } = image
  const sentAt = Number(message.Attributes?.SentTimestamp)
  return {
    n,
    key,
    ...(etag && { etag }),
    ...(confidence !== undefined && { confidence }),
    ...(boxes.length > 0 && { boxes }),
    ...(sentAt > 0 && { sentAt }),
    at: Date.now(),
    ...reading,
  }
}
