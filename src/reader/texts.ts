import type { ImageSteps, KnownObject } from '../aws/image-steps.ts'
import { maxInlineBytes, type TextAnswer } from '../aws/rekognition.ts'
import { isReplaced, replaced } from '../aws/s3.ts'
import { Failure } from '../flow/failure.ts'
import { type ImageAttempts, ImageFailure, type Step } from '../flow/image-attempts.ts'
import type { TextLine } from '../protocol/outcomes.ts'
import type { Answer, AnswerStore } from '../state/answers.ts'
import { DailyLimitReached } from '../state/calls.ts'
import type { ResultsExchange } from './exchange.ts'

/** The image that a message names. */
export interface WantedImage {
  readonly key: string
  /** of the object that the detector saw; undefined: other implementations do not say */
  readonly etag: string | undefined
  readonly sizeBytes: number | undefined
}

/** Rekognition's answer about an image, or why there is none. */
export type ImageText =
  | {
      readonly kind: 'answered'
      readonly answer: Answer<readonly TextLine[]>
      /** undefined where the object has none: it cannot be recognised again */
      readonly etag: string | undefined
      readonly isNew: boolean
    }
  | {
      readonly kind: 'failed'
      readonly reason: string
      /** the object is no longer the one that was asked for */
      readonly isReplaced: boolean
    }

type Located =
  | { readonly object: WantedImage; readonly failure?: never }
  | { readonly object?: never; readonly failure: ImageText }

export interface TextReaderParts {
  readonly steps: ImageSteps<TextAnswer>
  readonly attempts: ImageAttempts
  readonly answers: AnswerStore<readonly TextLine[]>
  /** answers that other readers have paid for */
  readonly exchange: ResultsExchange | undefined
  readonly bucket: string
  /** waits while the daily limit is reached */
  readonly waitForCalls: () => Promise<void>
}

/** An object that is replaced again and again, or an answer that nobody can rely on, is a failure. */
const maxLookups = 5

/** All lines are kept, so that another `minTextConfidence` needs no call. */
const keptConfidence = 0

/** Finds the text of images: in the answers that were paid for already, or by asking. */
export class TextReader {
  readonly #parts: TextReaderParts
  readonly #inProgress = new Map<string, Promise<ImageText>>()

  constructor(parts: TextReaderParts) {
    this.#parts = parts
  }

  /**
   * Repeats until there is an outcome, and has it recorded. Several messages about one object at a time, as of two runs, share
   * one answer: the others get it when the first has recorded it, so that nobody asks between the answer and its commit.
   *
   * @param askedBy use only answers that this run has asked for
   * @param record makes the outcome durable, and with it an answer that is new
   * @throws {ShutdownError} {ImgpipeError} and what `record` throws
   */
  async read(
    image: WantedImage,
    askedBy: string | undefined,
    record: (text: ImageText) => Promise<void>,
  ): Promise<void> {
    for (let lookups = 1; ; lookups++) {
      const { object, failure } = await this.#located(image)
      if (!object) return record(failure)
      // Only an ETag that the detector has seen can contradict the object; one that was looked up here is looked up again.
      const isFinal = (text: ImageText) => {
        const isStale = text.kind === 'failed' && text.isReplaced && image.etag === undefined
        return !isStale || lookups >= maxLookups
      }
      const name = JSON.stringify([object.key, object.etag, askedBy])
      const first = this.#inProgress.get(name)
      if (first !== undefined) {
        const text = shared(await first)
        if (isFinal(text)) return record(text)
        continue
      }
      const recordFinal = async (text: ImageText) => {
        if (isFinal(text)) await record(text)
      }
      const reading = this.#readAndRecord(object, askedBy, recordFinal).finally(() =>
        this.#inProgress.delete(name),
      )
      this.#inProgress.set(name, reading)
      if (isFinal(await reading)) return
    }
  }

  async #readAndRecord(
    image: WantedImage,
    askedBy: string | undefined,
    record: (text: ImageText) => Promise<void>,
  ): Promise<ImageText> {
    const text = (await this.#known(image, askedBy)) ?? (await this.#asked(image))
    await record(text)
    return text
  }

  /** An image whose message names no ETag, with that of its object; or why there is none. */
  async #located(image: WantedImage): Promise<Located> {
    if (image.etag !== undefined) return { object: image }
    try {
      const { key, etag, size } = await this.#parts.attempts.run((step) => this.#locate(image, step))
      return { object: { key, etag, sizeBytes: size } }
    } catch (error) {
      if (error instanceof ImageFailure) return { failure: failed(undefined, error) }
      throw error
    }
  }

  /** Waits while the daily limit is reached. */
  async #asked(image: WantedImage): Promise<ImageText> {
    for (;;) {
      await this.#parts.waitForCalls()
      try {
        return await this.#parts.attempts.run((step) => this.#ask(image, step))
      } catch (error) {
        if (error instanceof ImageFailure) return failed(image.etag, error)
        if (!(error instanceof DailyLimitReached)) throw error
      }
    }
  }

  async #ask(image: WantedImage, step: Step): Promise<ImageText> {
    const object = await this.#locate(image, step)
    const { model, lines } = await this.#detect(object, step)
    this.#parts.steps.wasRead(image.key)
    const answer = { kind: 'answer', model, content: lines } as const
    return { kind: 'answered', answer, etag: object.etag, isNew: true }
  }

  async #known(
    { key, etag }: Pick<WantedImage, 'key' | 'etag'>,
    askedBy: string | undefined,
  ): Promise<ImageText | undefined> {
    if (etag === undefined) return undefined
    const { answers, exchange, bucket } = this.#parts
    const requirements = { maxMinConfidence: keptConfidence, askedBy }
    const own = answers.find({ key, etag }, requirements)
    const shared = own || askedBy !== undefined ? undefined : await exchange?.answer({ bucket, key, etag })
    const answer = own ?? shared
    return answer && { kind: 'answered', answer, etag, isNew: false }
  }

  /** Size and ETag: from the message, or from S3. @throws {Failure} */
  async #locate(image: WantedImage, step: Step): Promise<KnownObject> {
    const { key, etag, sizeBytes: size } = image
    if (etag !== undefined && size !== undefined && size <= maxInlineBytes) return { key, etag, size }
    const { steps } = this.#parts
    const head = await steps.head(key, step)
    if (etag !== undefined && head.etag !== etag) {
      if (head.isConfirmed) throw replaced(steps.names.head, 'its labels were detected')
      throw new Failure('transient', steps.names.head, 'the answer is about another object and not from AWS')
    }
    steps.refuseArchived(head)
    return { key, etag: head.etag, size: head.size }
  }

  async #detect(object: KnownObject, step: Step): Promise<TextAnswer> {
    const { steps } = this.#parts
    const { key, size } = object
    if (size === 0) throw new Failure('subject', steps.names.head, 'the object is empty')
    if (size <= maxInlineBytes) return steps.byBytes(object, step)
    try {
      return await steps.byReference(key, step)
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'unreadable') throw error
      return steps.failAsUnreadable(key, error, step)
    }
  }
}

/** A refusal is an answer about the bytes; everything else is a failure, which another run may cure. */
function failed(etag: string | undefined, { message, cause }: ImageFailure): ImageText {
  const isRefusal = cause instanceof Failure && cause.kind === 'subject' && cause.operation === 'DetectText'
  if (!isRefusal) return { kind: 'failed', reason: message, isReplaced: isReplaced(cause) }
  return { kind: 'answered', answer: { kind: 'refusal', reason: message }, etag, isNew: true }
}

/** The same answer for another message: it is paid for once. */
function shared(text: ImageText): ImageText {
  return text.kind === 'answered' ? { ...text, isNew: false } : text
}
