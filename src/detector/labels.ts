import type { RekognitionClient } from '@aws-sdk/client-rekognition'
import {
  type DetectedLabel,
  detectLabels,
  type ImageSource,
  type LabelsAnswer,
  maxInlineBytes,
} from '../aws/rekognition.ts'
import type { ListedObject, S3Images } from '../aws/s3.ts'
import type { ByteSemaphore } from '../flow/byte-semaphore.ts'
import type { Dispatcher } from '../flow/dispatcher.ts'
import { Failure } from '../flow/failure.ts'
import type { Step } from '../flow/image-attempts.ts'
import type { BoxTuple } from '../protocol/messages.ts'
import type { DailyCalls } from '../state/calls.ts'

/** What is kept of an answer of DetectLabels: every label with its confidence and boxes. */
export type KeptLabels = readonly (readonly [name: string, confidence: number, boxes: readonly BoxTuple[]])[]

/** All labels at or above this confidence are kept, so that another threshold or label needs no call. */
const keptConfidence = 50

/** The lowest confidence that is asked for, so that `minConfidence` can be decided from the answer. */
export function askedConfidence(minConfidence: number): number {
  return Math.min(keptConfidence, minConfidence)
}

export function keptLabels(labels: readonly DetectedLabel[]): KeptLabels {
  return labels.map(({ name, confidence, boxes }) => [name, confidence, boxes])
}

/** Whether an image shows what is looked for. */
export type Decision =
  | { readonly isCar: true; readonly confidence: number; readonly boxes: readonly BoxTuple[] }
  | { readonly isCar: false }

/**
 * A label of exactly this name (case included) with a confidence strictly above `minConfidence`. Of several labels of
 * the name the most confident one counts.
 */
export function decide(labels: KeptLabels, label: string, minConfidence: number): Decision {
  const matches = labels.filter(([name, confidence]) => name === label && confidence > minConfidence)
  const best = matches.toSorted(([, a], [, b]) => b - a)[0]
  return best ? { isCar: true, confidence: best[1], boxes: best[2] } : { isCar: false }
}

export interface LabelReaderParts {
  readonly rekognition: RekognitionClient
  readonly dispatcher: Dispatcher
  readonly images: S3Images
  readonly memory: ByteSemaphore
  readonly calls: DailyCalls
  readonly bucket: string
  /** the bucket is in Rekognition's region, which can then fetch the object itself */
  readonly byReference: boolean
  readonly minConfidence: number
  /** cancels waiting for memory */
  readonly signal: AbortSignal
}

/** Steps of an attempt, as failures are attributed: reading an object by reference and by bytes fail for different reasons. */
export const labelSteps = {
  byReference: 'DetectLabels by reference',
  byBytes: 'DetectLabels by bytes',
  head: 'HeadObject',
  download: 'GetObject',
} as const

/** One attempt at one image: by reference, or by its bytes where Rekognition cannot fetch the object. @throws {Failure} */
export async function readLabels(
  object: ListedObject,
  parts: LabelReaderParts,
  step: Step,
): Promise<LabelsAnswer> {
  if (object.size === 0) throw new Failure('subject', 'ListObjectsV2', 'the object is empty')
  if (isArchiveClass(object.storageClass)) await refuseArchived(object, parts, step)
  if (!parts.byReference) return readBytes(object, parts, step)
  try {
    const image = { bucket: parts.bucket, key: object.key }
    return await step(labelSteps.byReference, () => call(parts, 0, image))
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'unreadable') throw error
    await refuseArchived(object, parts, step)
    if (object.size > maxInlineBytes) return failAsUnreadable(object, parts, step, error)
    return readBytes(object, parts, step)
  }
}

/** Objects of these classes cannot be read before they are restored. */
export function isArchiveClass(storageClass: string | undefined): boolean {
  return storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE'
}

/** @throws {Failure} `subject` when the object is gone or archived */
async function refuseArchived({ key }: ListedObject, parts: LabelReaderParts, step: Step): Promise<void> {
  const { isArchived, storageClass } = await step(labelSteps.head, () => parts.images.head(parts.bucket, key))
  if (!isArchived) return
  const message = `archived in ${storageClass ?? 'an archive tier'}: restore it first`
  throw new Failure('subject', labelSteps.head, message)
}

/**
 * A permission that is missing, and an outage, show when S3 is asked for the very object: that is a denial, or another failure,
 * of S3. When S3 gives it to us, Rekognition alone cannot read it, and no other object can tell more.
 *
 * @throws {Failure} always: S3's, or `unreadable`
 */
async function failAsUnreadable(
  { key }: ListedObject,
  { images, bucket }: LabelReaderParts,
  step: Step,
  error: Failure,
): Promise<never> {
  await step(labelSteps.download, () => images.probe(bucket, key))
  const { operation, message } = error
  const sentence = `the image has more than 5 MiB and Rekognition cannot read it from S3: ${message}`
  // As a failure of that step it is repeated, and judged, as one of the image.
  return step(labelSteps.byReference, () =>
    Promise.reject(new Failure('unreadable', operation, sentence, { cause: error })),
  )
}

async function readBytes(object: ListedObject, parts: LabelReaderParts, step: Step): Promise<LabelsAnswer> {
  if (object.size > maxInlineBytes) {
    const message =
      'the image has more than 5 MiB and Rekognition cannot read it: the bucket is in another region'
    throw new Failure('subject', labelSteps.byBytes, message)
  }
  return withBytes(object, parts, step, (bytes) =>
    step(labelSteps.byBytes, () => call(parts, bytes.length, { bytes })),
  )
}

/** Nothing is downloaded before its bytes are granted, and they are held until they have been used. */
async function withBytes<T>(
  { key, size, etag }: ListedObject,
  { images, memory, bucket, signal }: LabelReaderParts,
  step: Step,
  use: (bytes: Uint8Array) => Promise<T>,
): Promise<T> {
  const release = await memory.acquire(size, signal)
  try {
    const { bytes } = await step(labelSteps.download, () => images.download(bucket, key, { size, etag }))
    return await use(bytes)
  } finally {
    release()
  }
}

/** A step of its own for an object that was read before: evidence about real images, at the price of one. */
export function labelWitnesses(parts: LabelReaderParts, readableKey: () => string | undefined) {
  const { images, bucket } = parts
  const direct: Step = (_, call) => call()
  const withKey = (ask: (key: string) => Promise<unknown>) => () => {
    const key = readableKey()
    return key === undefined ? undefined : ask(key)
  }
  const object = async (key: string) => ({ key, ...(await images.head(bucket, key)) })
  return {
    [labelSteps.byReference]: withKey((key) => call(parts, 0, { bucket, key })),
    [labelSteps.byBytes]: withKey(async (key) => readBytes(await object(key), parts, direct)),
    [labelSteps.head]: withKey((key) => images.head(bucket, key)),
    [labelSteps.download]: withKey(async (key) =>
      withBytes(await object(key), parts, direct, () => Promise.resolve()),
    ),
  }
}

/** The call is reserved when it is about to be sent: a crash loses the reservations of what is in flight, and no more. */
async function call(
  { rekognition, dispatcher, calls, minConfidence }: LabelReaderParts,
  bodyBytes: number,
  image: ImageSource,
): Promise<LabelsAnswer> {
  return dispatcher.call(bodyBytes, (signal) =>
    calls.reserved('DetectLabels', () => detectLabels(rekognition, image, minConfidence, signal)),
  )
}

/** Tells a label that is misspelt from one that no image shows. */
export class LabelSightings {
  #isSeen = false
  #otherCase: string | undefined

  add(labels: KeptLabels, label: string): void {
    if (this.#isSeen) return
    this.#isSeen = labels.some(([name]) => name === label)
    this.#otherCase ??= labels.find(([name]) => name.toLowerCase() === label.toLowerCase())?.[0]
  }

  /** @returns what may be wrong with the setting; undefined when the label was seen */
  hint(label: string): string | undefined {
    if (this.#isSeen) return undefined
    if (this.#otherCase !== undefined) {
      return `no image has the label "${label}", but "${this.#otherCase}" was found: labels are case-sensitive, see the setting "label"`
    }
    return `no image has the label "${label}": check its spelling in Rekognition's list of labels, see the setting "label"`
  }
}
