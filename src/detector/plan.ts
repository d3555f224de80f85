import { callDollars, formatDollars } from '../aws/prices.ts'
import type { ListedObject } from '../aws/s3.ts'
import type { Settings } from '../config/schema.ts'
import { isImageKey } from '../protocol/keys.ts'
import { type AnswerSource, answersAbout, isUsable, type StoredAnswer } from '../state/answers.ts'
import type { DetectorRunRow, DetectorRuns, RunSettings } from '../state/detector-runs.ts'
import { decide, isArchiveClass, type KeptLabels } from './labels.ts'
import { ImageSetDigest, type Listing, listPages } from './listing.ts'

/** Where a plan looks earlier runs up; a database that must not stay open for long answers a page at a time. */
export interface KnownRuns extends Pick<DetectorRuns, 'lastDone'> {
  failedAmong(seq: number, keys: readonly string[]): ReadonlySet<string> | Promise<ReadonlySet<string>>
}

/** Which answers a run may use: of any run, of one run only, or none at all. */
export type UsableAnswers = 'any' | 'none' | { readonly askedBy: string }

/** What makes an image a car. */
type LabelRule = Pick<RunSettings, 'label' | 'minConfidence'>

interface PlanParts extends LabelRule {
  readonly usable: UsableAnswers
  /** the newest finished run over the same part of the bucket */
  readonly lastRun: DetectorRunRow | undefined
}

/** What a run would do, by the listing and the answers alone. Every image is one of new, changed, unchanged, repeated or retried. */
export interface RunPlan {
  readonly images: number
  /** never asked about */
  readonly new: number
  /** replaced since they were asked about */
  readonly changed: number
  /** answered already */
  readonly unchanged: number
  /** answered already, but to be asked about again: in a fresh run, or because a lower confidence is needed */
  readonly repeated: number
  /** failed in the last run */
  readonly retried: number
  /** answered and no longer listed */
  readonly removed: number
  /** images whose content was analysed before, and how many of them have the label */
  readonly known: number
  readonly knownCars: number
  /** unchanged images with the label that the last run did not send to the reader */
  readonly newCars: number
  /** DetectLabels calls */
  readonly calls: number
  /** the set of images is the one of the last run */
  readonly isSameSet: boolean
}

/** Which answers the next run may use: an interrupted one that is resumed, or a new one. */
export function usableAnswers(
  { reuseAnswers }: Pick<Settings, 'reuseAnswers'>,
  {
    resumed,
    fresh = false,
  }: { resumed?: Pick<DetectorRunRow, 'run' | 'fresh'> | undefined; fresh?: boolean },
): UsableAnswers {
  if (resumed) return reuseAnswers && !resumed.fresh ? 'any' : { askedBy: resumed.run }
  return reuseAnswers && !fresh ? 'any' : 'none'
}

/** The plan of a run with these settings: compares a complete listing with the answers. Asks Rekognition nothing. */
export async function planOf(
  listing: Listing,
  parts: {
    settings: Pick<Settings, 'bucket' | 'prefix' | 'label' | 'minConfidence'>
    answers: AnswerSource<KeptLabels>
    runs: KnownRuns
    usable: UsableAnswers
  },
): Promise<RunPlan> {
  const { settings, answers, runs, usable } = parts
  const { prefix, label, minConfidence } = settings
  const lastRun = runs.lastDone(settings)
  const counter = new PlanCounter({ label, minConfidence, usable, lastRun })
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

/** What bounds the speed of a run. */
export interface PlanLimits {
  /** the quota last seen, calls per second; 0 = unknown */
  readonly ratePerSecond: number
  /** 0 = no limit */
  readonly maxCallsPerDay: number
  readonly callsLeftToday: number
}

/** The plan in words: what is new, what that costs, and how long it takes. */
export function planLines(plan: RunPlan, limits: PlanLimits): string[] {
  const { images, new: added, changed, unchanged, repeated, retried, removed, calls } = plan
  const parts = [`${added} new`, `${changed} changed`, `${unchanged} unchanged`, `${removed} removed`]
  if (repeated > 0) parts.push(`${repeated} to analyse again`)
  if (retried > 0) parts.push(`${retried} failed before`)
  const { ratePerSecond, maxCallsPerDay, callsLeftToday } = limits
  const time =
    ratePerSecond > 0 && calls > 0
      ? `, about ${Math.ceil(calls / ratePerSecond)} s at ${ratePerSecond.toFixed(1)}/s`
      : ''
  const days = planDays(plan, limits)
  const limit = `plan: at most ${maxCallsPerDay} calls a day (maxCallsPerDay), ${callsLeftToday} of them left today: the run takes ${days} days`
  return [
    `plan: ${images} images: ${parts.join(', ')}`,
    `plan: ${calls} DetectLabels calls, ${formatDollars(callDollars(calls))}${time}`,
    ...(days > 1 ? [limit] : []),
  ]
}

/** UTC days on which the run makes calls, today included. */
export function planDays({ calls }: RunPlan, { maxCallsPerDay, callsLeftToday }: PlanLimits): number {
  if (maxCallsPerDay === 0 || calls <= callsLeftToday) return 1
  return 1 + Math.ceil((calls - callsLeftToday) / maxCallsPerDay)
}

/**
 * How many DetectText calls the reader will make at most: for images that it has not been sent before, and for as many of
 * those that are asked about as show a car among those that are known. Without known ones every image may. The reader may know
 * some of them from runs before the last one.
 */
export function estimatedTextCalls({ calls, newCars, knownCars, known }: RunPlan): number {
  return newCars + (known > 0 ? Math.ceil((calls * knownCars) / known) : calls)
}

class PlanCounter {
  readonly #parts: PlanParts
  readonly #digest = new ImageSetDigest()
  readonly #counts = {
    images: 0,
    new: 0,
    changed: 0,
    unchanged: 0,
    repeated: 0,
    retried: 0,
    removed: 0,
    known: 0,
    knownCars: 0,
    newCars: 0,
  }

  constructor(parts: PlanParts) {
    this.#parts = parts
  }

  get plan(): RunPlan {
    const { new: added, changed, repeated, retried } = this.#counts
    const isSameSet = this.#parts.lastRun?.digest === this.#digest.toString()
    return { ...this.#counts, calls: added + changed + repeated + retried, isSameSet }
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
    this.#counts.images++
    this.#digest.add(key, etag)
    const isSame = stored !== undefined && etag !== undefined && stored.etag === etag
    const isCar = isSame && this.#isCar(stored, this.#parts)
    if (isSame) this.#counts.known++
    if (isCar) this.#counts.knownCars++
    if (isSame && this.#isUsable(stored, etag)) {
      this.#counts.unchanged++
      if (isCar && !this.#wasSent(stored)) this.#counts.newCars++
    } else if (stored) {
      this.#counts[isSame ? 'repeated' : 'changed']++
    } else if (hasFailed && isArchiveClass(storageClass)) {
      // Restoring an object changes nothing in the listing: it is tried again when there is another reason for a run.
      this.#counts.unchanged++
    } else if (hasFailed) {
      this.#counts.retried++
    } else {
      this.#counts.new++
    }
  }

  #isUsable(stored: StoredAnswer<KeptLabels>, etag: string): boolean {
    const { usable, minConfidence } = this.#parts
    if (usable === 'none') return false
    const askedBy = usable === 'any' ? undefined : usable.askedBy
    return isUsable(stored, etag, { maxMinConfidence: minConfidence, askedBy })
  }

  #isCar({ answer }: StoredAnswer<KeptLabels>, { label, minConfidence }: LabelRule): boolean {
    return answer.kind === 'answer' && decide(answer.content, label, minConfidence).isCar
  }

  /** Whether the last run has sent the image to the reader. IDs of runs are in the order in which they began. */
  #wasSent(stored: StoredAnswer<KeptLabels>): boolean {
    const { lastRun } = this.#parts
    return lastRun !== undefined && stored.askedBy <= lastRun.run && this.#isCar(stored, lastRun.settings)
  }
}
