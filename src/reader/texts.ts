import type { RekognitionClient } from '@aws-sdk/client-rekognition'
import { detectText, type ImageSource, maxInlineBytes, type TextAnswer } from '../aws/rekognition.ts'
import type { S3Images } from '../aws/s3.ts'
import type { ByteSemaphore } from '../flow/byte-semaphore.ts'
import type { Dispatcher } from '../flow/dispatcher.ts'
import { Failure } from '../flow/failure.ts'
import { type ImageAttempts, ImageFailure, type Step } from '../flow/image-attempts.ts'
import type { TextLine } from '../protocol/outcomes.ts'
import type { Answer, AnswerStore } from '../state/answers.ts'
import { type DailyCalls, DailyLimitReached } from '../state/calls.ts'
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
  readonly rekognition: RekognitionClient
  readonly dispatcher: Dispatcher
  readonly images: S3Images
  readonly memory: ByteSemaphore
  readonly attempts: ImageAttempts
  readonly answers: AnswerStore<readonly TextLine[]>
  /** answers that other readers have paid for */
  readonly exchange: ResultsExchange | undefined
  readonly bucket: string
  readonly calls: DailyCalls
  /** waits while the daily limit is reached */
  readonly waitForCalls: () => Promise<void>
  readonly onRead: (key: string) => void
  readonly signal: AbortSignal
}

/** Steps of an attempt, as failures are attributed. */
export const textSteps = {
  head: 'HeadObject',
  download: 'GetObject',
  byBytes: 'DetectText by bytes',
  byReference: 'DetectText by reference',
} as const

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
      this.#parts.onRead(image.key)
      return {
        kind: 'answered',
        answer: { kind: 'answer', model, content: lines },
        etag: object.etag,
        isNew: true,
      }
    })
  }

  async #known({ key, etag }: WantedImage, askedBy: string | undefined): Promise<ImageText | undefined> {
    if (etag === undefined) return undefined
    const { answers, exchange, bucket } = this.#parts
    const requirements = { maxMinConfidence: keptConfidence, askedBy }
    const own = answers.find({ key, etag }, requirements)
    const shared = own || askedBy !== undefined ? undefined : await exchange?.answer({ bucket, key, etag })
    const answer = own ?? shared
    return answer && { kind: 'answered', answer, etag, isNew: false }
  }

  /** Size and ETag: from the message, or from S3. @throws {Failure} */
  async #locate(image: WantedImage, step: Step): Promise<WantedImage & { sizeBytes: number }> {
    const { key, etag, sizeBytes } = image
    const isComplete = etag !== undefined && sizeBytes !== undefined && sizeBytes <= maxInlineBytes
    if (isComplete) return { key, etag, sizeBytes }
    const head = await step(textSteps.head, () => this.#parts.images.head(this.#parts.bucket, key))
    if (etag !== undefined && head.etag !== undefined && head.etag !== etag) {
      throw new Failure('subject', textSteps.head, 'the object was replaced after its labels were detected')
    }
    if (head.isArchived) {
      const archive = head.storageClass ?? 'an archive tier'
      throw new Failure('subject', textSteps.head, `archived in ${archive}: restore it first`)
    }
    return { key, etag: head.etag, sizeBytes: head.size }
  }

  async #detect(object: WantedImage & { sizeBytes: number }, step: Step): Promise<TextAnswer> {
    if (object.sizeBytes === 0) throw new Failure('subject', textSteps.head, 'the object is empty')
    if (object.sizeBytes <= maxInlineBytes) return this.#detectBytes(object, step)
    const { bucket, images } = this.#parts
    try {
      return await step(textSteps.byReference, () => this.#call(0, { bucket, key: object.key }))
    } catch (error) {
      if (!(error instanceof Failure) || error.kind !== 'unreadable') throw error
      // A missing permission, or an outage, shows when S3 is asked for the very object (see the detector's labels.ts).
      await step(textSteps.download, () => images.probe(bucket, object.key))
      return step(textSteps.byReference, () => Promise.reject(unreadable(error)))
    }
  }

  /** Nothing is downloaded before its bytes are granted, and they are held until Rekognition has answered. */
  async #detectBytes(
    { key, etag, sizeBytes }: WantedImage & { sizeBytes: number },
    step: Step,
  ): Promise<TextAnswer> {
    const { bucket, images, memory, signal } = this.#parts
    const release = await memory.acquire(sizeBytes, signal)
    try {
      const { bytes } = await step(textSteps.download, () =>
        images.download(bucket, key, { size: sizeBytes, etag }),
      )
      return await step(textSteps.byBytes, () => this.#call(bytes.length, { bytes }))
    } finally {
      release()
    }
  }

  /** The call is reserved when it is about to be sent: a crash loses the reservations of what is in flight, and no more. */
  #call(bodyBytes: number, image: ImageSource): Promise<TextAnswer> {
    const { rekognition, dispatcher, calls } = this.#parts
    return dispatcher.call(bodyBytes, (signal) =>
      calls.reserved('DetectText', () => detectText(rekognition, image, signal)),
    )
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

function unreadable(failure: Failure): Failure {
  const message = `the image has more than 5 MiB and Rekognition cannot read it from S3: ${failure.message}`
  return new Failure('unreadable', failure.operation, message, { cause: failure })
}
