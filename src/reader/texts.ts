import type { ImageSteps, KnownObject } from '../aws/image-steps.ts'
import { maxInlineBytes, type TextAnswer } from '../aws/rekognition.ts'
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
  | { readonly kind: 'failed'; readonly reason: string }

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
   * Repeats until there is an outcome. Several messages about one object at a time, as of two runs, share one answer.
   *
   * @param askedBy use only answers that this run has asked for
   * @throws {ShutdownError} {ImgpipeError}
   */
  async read(image: WantedImage, askedBy: string | undefined): Promise<ImageText> {
    const name = JSON.stringify([image.key, image.etag, askedBy])
    const first = this.#inProgress.get(name)
    if (first !== undefined) return shared(await first)
    const reading = this.#read(image, askedBy).finally(() => this.#inProgress.delete(name))
    this.#inProgress.set(name, reading)
    return reading
  }

  async #read(image: WantedImage, askedBy: string | undefined): Promise<ImageText> {
    const known = await this.#known(image, askedBy)
    if (known) return known
    for (;;) {
      await this.#parts.waitForCalls()
      try {
        return await this.#ask(image, askedBy)
      } catch (error) {
        if (error instanceof ImageFailure) return this.#failed(image, error)
        if (!(error instanceof DailyLimitReached)) throw error
      }
    }
  }

  async #ask(image: WantedImage, askedBy: string | undefined): Promise<ImageText> {
    return this.#parts.attempts.run(async (step) => {
      const object = await this.#locate(image, step)
      // Without an ETag in its message the image may be known all the same.
      const known = image.etag === undefined ? await this.#known(object, askedBy) : undefined
      if (known) return known
      const { model, lines } = await this.#detect(object, step)
      this.#parts.steps.wasRead(image.key)
      return {
        kind: 'answered',
        answer: { kind: 'answer', model, content: lines },
        etag: object.etag,
        isNew: true,
      }
    })
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
      throw new Failure('subject', steps.names.head, 'the object was replaced after its labels were detected')
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

  /** A refusal is an answer about the bytes; everything else is a failure, which another run may cure. */
  #failed({ etag }: WantedImage, { message, cause }: ImageFailure): ImageText {
    const isRefusal = cause instanceof Failure && cause.kind === 'subject' && cause.operation === 'DetectText'
    if (!isRefusal) return { kind: 'failed', reason: message }
    return { kind: 'answered', answer: { kind: 'refusal', reason: message }, etag, isNew: true }
  }
}

/** The same answer for another message: it is paid for once. */
function shared(text: ImageText): ImageText {
  return text.kind === 'answered' ? { ...text, isNew: false } : text
}
