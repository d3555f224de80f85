import { callDollars, formatDollars } from '../aws/prices.ts'
import type { ListedObject } from '../aws/s3.ts'
import type { Settings } from '../config/schema.ts'
import { isImageKey } from '../protocol/keys.ts'
import { type AnswerSource, answersAbout, isUsable, type StoredAnswer } from '../state/answers.ts'
import type { DetectorRunRow, DetectorRuns } from '../state/detector-runs.ts'
import { decide, isArchiveClass, type KeptLabels } from './labels.ts'
import { ImageSetDigest, type Listing, listPages } from './listing.ts'

/** Where a plan looks earlier runs up; a database that must not stay open for long answers a page at a time. */
export interface KnownRuns extends Pick<DetectorRuns, 'lastDone'> {
  failedAmong(seq: number, keys: readonly string[]): ReadonlySet<string> | Promise<ReadonlySet<string>>
}

interface PlanParts {
  readonly label: string
  readonly minConfidence: number
  /** answers of earlier runs may be used */
  readonly reuse: boolean
  /** the newest finished run over the same part of the bucket */
  readonly lastRun: DetectorRunRow | undefined
}

/** What a run would do, by the listing and the answers alone. Every image is one of new, changed, unchanged or retried. */
export interface RunPlan {
  readonly images: number
  /** never asked about */
  readonly new: number
  /** replaced since they were asked about */
  readonly changed: number
  /** answered already */
  readonly unchanged: number
  /** failed in the last run */
  readonly retried: number
  /** answered and no longer listed */
  readonly removed: number
  /** images with the label, of those that are answered already */
  readonly knownCars: number
  /** DetectLabels calls */
  readonly calls: number
  /** the set of images is the one of the last run */
  readonly isSameSet: boolean
}

/** The plan of a run with these settings: compares a complete listing with the answers. Asks Rekognition nothing. */
export async function planOf(
  listing: Listing,
  parts: {
    settings: Pick<Settings, 'bucket' | 'prefix' | 'label' | 'minConfidence' | 'reuseAnswers'>
    answers: AnswerSource<KeptLabels>
    runs: KnownRuns
  },
): Promise<RunPlan> {
  const { settings, answers, runs } = parts
  const { prefix, label, minConfidence, reuseAnswers: reuse } = settings
  const lastRun = runs.lastDone(settings)
  const counter = new PlanCounter({ label, minConfidence, reuse, lastRun })
  let after = ''
  for await (const page of listPages(listing, '')) {
    const lastKey = page.objects.at(-1)?.key ?? after
    const images = new Map(
      page.objects.filter(({ key }) => isImageKey(key)).map((image) => [image.key, image]),
    )
    const range = { prefix, after, last: page.isLast ? undefined : lastKey }
    const stored = await answersAbout(answers, images, range, (gone) => counter.addRemoved(gone.length))
    const failed = lastRun ? await runs.failedAmong(lastRun.seq, [...images.keys()]) : new Set<string>()
    for (const image of images.values()) counter.addImage(image, stored.get(image.key), failed.has(image.key))
    after = lastKey
  }
  return counter.plan
}

/** The plan in words: what is new, and what that costs. @param ratePerSecond the quota last seen; 0 = unknown */
export function planLines(plan: RunPlan, ratePerSecond: number): string[] {
  const { images, new: added, changed, unchanged, retried, removed, calls } = plan
  const parts = [`${added} new`, `${changed} changed`, `${unchanged} unchanged`, `${removed} removed`]
  if (retried > 0) parts.push(`${retried} failed before`)
  const time =
    ratePerSecond > 0 && calls > 0
      ? `, about ${Math.ceil(calls / ratePerSecond)} s at ${ratePerSecond.toFixed(1)}/s`
      : ''
  return [
    `plan: ${images} images: ${parts.join(', ')}`,
    `plan: ${calls} DetectLabels calls, ${formatDollars(callDollars(calls))}${time}`,
  ]
}

/**
 * How many DetectText calls the reader will make, if as many of the images that are asked about show a car as of those
 * that are known. Without known ones every image may.
 */
export function estimatedTextCalls({ calls, knownCars, unchanged }: RunPlan): number {
  return unchanged > 0 ? Math.ceil((calls * knownCars) / unchanged) : calls
}

class PlanCounter {
  readonly #parts: PlanParts
  readonly #digest = new ImageSetDigest()
  readonly #counts = { images: 0, new: 0, changed: 0, unchanged: 0, retried: 0, removed: 0, knownCars: 0 }

  constructor(parts: PlanParts) {
    this.#parts = parts
  }

  get plan(): RunPlan {
    const { new: added, changed, retried } = this.#counts
    const isSameSet = this.#parts.lastRun?.digest === this.#digest.toString()
    return { ...this.#counts, calls: added + changed + retried, isSameSet }
  }

  addRemoved(count: number): void {
    this.#counts.removed += count
  }

  /** @param hasFailed in the last run */
  addImage(
    { key, etag, storageClass }: ListedObject,
    stored: StoredAnswer<KeptLabels> | undefined,
    hasFailed: boolean,
  ): void {
    const { minConfidence, label, reuse } = this.#parts
    this.#counts.images++
    this.#digest.add(key, etag)
    if (reuse && stored && isUsable(stored, etag, { maxMinConfidence: minConfidence })) {
      this.#counts.unchanged++
      const { answer } = stored
      if (answer.kind === 'answer' && decide(answer.content, label, minConfidence).isCar)
        this.#counts.knownCars++
    } else if (stored && stored.etag !== etag) {
      this.#counts.changed++
    } else if (hasFailed && isArchiveClass(storageClass)) {
      // Restoring an object changes nothing in the listing: it is tried again when there is another reason for a run.
      this.#counts.unchanged++
    } else if (hasFailed) {
      this.#counts.retried++
    } else {
      this.#counts.new++
    }
  }
}
