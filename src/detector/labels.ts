import type { ImageSteps } from '../aws/image-steps.ts'
import { type DetectedLabel, type LabelsAnswer, maxInlineBytes } from '../aws/rekognition.ts'
import type { ListedObject } from '../aws/s3.ts'
import { Failure } from '../flow/failure.ts'
import type { Step } from '../flow/image-attempts.ts'
import type { BoxTuple } from '../protocol/messages.ts'

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

/**
 * One attempt at one image: by reference, or by its bytes where Rekognition cannot fetch the object.
 *
 * @param byReference the bucket is in Rekognition's region, which can then fetch the object itself
 * @throws {Failure}
 */
export async function readLabels(
  object: ListedObject,
  { steps, byReference }: { steps: ImageSteps<LabelsAnswer>; byReference: boolean },
  step: Step,
): Promise<LabelsAnswer> {
  const { key, size, storageClass } = object
  if (size === 0) throw new Failure('subject', 'ListObjectsV2', 'the object is empty')
  if (isArchiveClass(storageClass)) steps.refuseArchived(await steps.head(key, step))
  if (!byReference) {
    if (size <= maxInlineBytes) return steps.byBytes(object, step)
    const message =
      'the image has more than 5 MiB and Rekognition cannot read it: the bucket is in another region'
    throw new Failure('subject', steps.names.byBytes, message)
  }
  try {
    return await steps.byReference(key, step)
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'unreadable') throw error
    steps.refuseArchived(await steps.head(key, step))
    if (size > maxInlineBytes) return steps.failAsUnreadable(key, error, step)
    return steps.byBytes(object, step)
  }
}

/** Objects of these classes cannot be read before they are restored. */
export function isArchiveClass(storageClass: string | undefined): boolean {
  return storageClass === 'GLACIER' || storageClass === 'DEEP_ARCHIVE'
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
