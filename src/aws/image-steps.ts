import type { ByteSemaphore } from '../flow/byte-semaphore.ts'
import type { AroundAttempt, Dispatcher } from '../flow/dispatcher.ts'
import { Failure } from '../flow/failure.ts'
import type { Step } from '../flow/image-attempts.ts'
import type { Probe, Witness } from '../flow/step-record.ts'
import { type ImageSource, maxInlineBytes, notAnImage } from './rekognition.ts'
import type { ObjectHead, S3Images } from './s3.ts'

export interface ImageStepsParts<Answer> {
  readonly operation: 'DetectLabels' | 'DetectText'
  /** asks Rekognition once */
  readonly detect: (image: ImageSource, signal: AbortSignal) => Promise<Answer>
  readonly dispatcher: Pick<Dispatcher, 'call'>
  readonly images: Pick<S3Images, 'head' | 'download' | 'probe'>
  readonly memory: ByteSemaphore
  readonly bucket: string
  /** surrounds each call that may be billed */
  readonly aroundCall: AroundAttempt
  /** a call was answered, and so billed, that no image of the run has asked for */
  readonly onWitnessAnswer: () => Promise<void>
  /** an object that was read in an earlier run */
  readonly readableKey: string | undefined
  /** cancels waiting for memory */
  readonly signal: AbortSignal
}

/** One object, by the ETag and the size in bytes that are known of it. */
export interface KnownObject {
  readonly key: string
  readonly etag: string | undefined
  readonly size: number
}

const direct: Step = (_, call) => call()

/**
 * The steps in which Rekognition is asked about an image, with names by which their failures are attributed: reading an object
 * by reference and by its bytes fail for different reasons. With each step come its probe and its witness: evidence with
 * the permissions of the work itself.
 */
export class ImageSteps<Answer> {
  readonly names: Readonly<Record<'head' | 'download' | 'byReference' | 'byBytes', string>>
  readonly #parts: ImageStepsParts<Answer>
  #readableKey: string | undefined

  constructor(parts: ImageStepsParts<Answer>) {
    const { operation } = parts
    this.#parts = parts
    this.#readableKey = parts.readableKey
    this.names = {
      head: 'HeadObject',
      download: 'GetObject',
      byReference: `${operation} by reference`,
      byBytes: `${operation} by bytes`,
    }
  }

  /** Notes that an object could be read: probes and witnesses use it. */
  wasRead(key: string): void {
    this.#readableKey = key
  }

  head(key: string, step: Step): Promise<ObjectHead> {
    return step(this.names.head, () => this.#head(key))
  }

  /** @throws {Failure} `subject` when the object has to be restored first */
  refuseArchived({ isArchived, storageClass = 'an archive tier' }: ObjectHead): void {
    if (isArchived)
      throw new Failure('subject', this.names.head, `archived in ${storageClass}: restore it first`)
  }

  /** @throws {Failure} `unreadable` when Rekognition cannot fetch the object */
  byReference(key: string, step: Step): Promise<Answer> {
    const { bucket, aroundCall } = this.#parts
    return step(this.names.byReference, () => this.#call({ bucket, key }, 0, aroundCall))
  }

  byBytes(object: KnownObject, step: Step): Promise<Answer> {
    const { aroundCall } = this.#parts
    return this.#withBytes(object, step, (bytes) =>
      step(this.names.byBytes, () => this.#call({ bytes }, bytes.length, aroundCall)),
    )
  }

  /**
   * Rekognition cannot fetch an object that is too large for a request. A permission that is missing, and an outage, show when S3
   * is asked for the very object: that is a denial, or another failure, of S3. When S3 gives it to us, Rekognition alone cannot
   * read it, and no other object can tell more.
   *
   * @throws {Failure} always: S3's, or `unreadable`
   */
  async failAsUnreadable(key: string, error: Failure, step: Step): Promise<never> {
    await step(this.names.download, () => this.#parts.images.probe(this.#parts.bucket, key))
    const message = `the image has more than 5 MiB and Rekognition cannot read it from S3: ${error.message}`
    const failure = new Failure('unreadable', error.operation, message, { cause: error })
    // As a failure of that step it is repeated, and judged, as one of the image.
    return step(this.names.byReference, () => Promise.reject(failure))
  }

  /** Bytes that are no image show that Rekognition answers, and are not billed; an object that was read before that S3 does. */
  get probes(): Readonly<Record<string, Probe>> {
    const { names } = this
    const askNothing = () => this.#call({ bytes: notAnImage }, notAnImage.length)
    return {
      // That Rekognition may not read the object is no denial of this step: it is `unreadable`.
      [names.byReference]: askNothing,
      [names.byBytes]: askNothing,
      [names.download]: this.#withKey((key) => this.#parts.images.probe(this.#parts.bucket, key)),
      [names.head]: this.#withKey((key) => this.#head(key)),
    }
  }

  /** Each step by itself for an object that was read before: evidence about real images, at the price of one. */
  get witnesses(): Readonly<Record<string, Witness>> {
    const { names } = this
    const { bucket } = this.#parts
    const known = async (key: string): Promise<KnownObject> => ({ key, ...(await this.#head(key)) })
    return {
      [names.byReference]: this.#withKey((key) => this.#witness({ bucket, key }, 0)),
      [names.byBytes]: this.#withKey(async (key) =>
        this.#withBytes(await known(key), direct, (bytes) => this.#witness({ bytes }, bytes.length)),
      ),
      [names.download]: this.#withKey(async (key) =>
        this.#withBytes(await known(key), direct, () => Promise.resolve()),
      ),
      [names.head]: this.#withKey((key) => this.#head(key)),
    }
  }

  #head(key: string): Promise<ObjectHead> {
    return this.#parts.images.head(this.#parts.bucket, key)
  }

  #call(image: ImageSource, bodyBytes: number, around?: AroundAttempt): Promise<Answer> {
    const { dispatcher, detect } = this.#parts
    return dispatcher.call(bodyBytes, (signal) => detect(image, signal), around)
  }

  async #witness(image: ImageSource, bodyBytes: number): Promise<void> {
    const { aroundCall, onWitnessAnswer, images } = this.#parts
    try {
      await this.#call(image, bodyBytes, aroundCall)
    } catch (error) {
      // Rekognition does not tell an object that is gone from one that it cannot reach: S3 does.
      if ('key' in image && error instanceof Failure && error.kind === 'unreadable')
        await images.probe(image.bucket, image.key)
      throw error
    }
    await onWitnessAnswer()
  }

  /** Nothing is downloaded before its bytes are granted, and they are held until they have been used. */
  async #withBytes<T>(
    { key, etag, size }: KnownObject,
    step: Step,
    use: (bytes: Uint8Array) => Promise<T>,
  ): Promise<T> {
    const { images, memory, bucket, signal } = this.#parts
    if (size > maxInlineBytes)
      throw new Failure('subject', this.names.byBytes, 'the image has more than 5 MiB')
    const release = await memory.acquire(size, signal)
    try {
      const { bytes } = await step(this.names.download, () => images.download(bucket, key, { size, etag }))
      return await use(bytes)
    } finally {
      release()
    }
  }

  #withKey<T>(ask: (key: string) => Promise<T>): () => Promise<T> | undefined {
    return () => (this.#readableKey === undefined ? undefined : ask(this.#readableKey))
  }
}
