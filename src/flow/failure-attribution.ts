/**
 * Whose fault is a failed attempt: the image's, or the service's and the way to it?
 *
 * Evidence is what the same step did for other images since this image began to fail. Let q be the share of their first
 * attempts that failed (retries are not counted: an image that is tried again has failed before). Each failure of the
 * image had the probability q of striking it at random; when the product over its failures in a row is below one in a
 * million, the image itself is at fault. In a partial outage q is large and nothing is blamed; one bad image among good
 * ones has q near 0.
 *
 * q changes: an outage often begins and ends as a partial one. So each failure is weighed once, when it happens, by the q
 * of that time, and only if something else has succeeded since the failure before it. What fails while everything fails
 * says nothing about the image, whatever succeeds later.
 */

/** What first attempts of other images at one step came to. */
export interface PeerResults {
  readonly count: number
  /** denied ones included */
  readonly failed: number
  readonly denied: number
}

export type Verdict = 'retry' | 'image-at-fault' | 'permission-missing'

/** A blip, a restart, IAM's propagation: no verdict before an image has failed for so long. */
export const minFailingMs = 60_000
const maxChance = 1e-6
/** When nearly every image is denied, it is a permission and not the image. */
const permissionShare = 0.95
const enoughPeers = 30

/** The failures of one image at one step, in a row. Times are monotonic milliseconds. */
export class FailureStreak {
  readonly #log: PeerLog
  readonly #image: object
  readonly #attemptBeganAt: number
  readonly #firstAt: number
  #failures = 0
  #isDenied = true
  #chance = 1
  #weighedAt: number

  /**
   * @param image as in the log of the step
   * @param first when the first attempt that failed began, and when it failed
   */
  constructor(log: PeerLog, image: object, first: { beganAt: number; failedAt: number }) {
    this.#log = log
    this.#image = image
    this.#attemptBeganAt = first.beganAt
    this.#firstAt = first.failedAt
    this.#weighedAt = first.failedAt
  }

  get failures(): number {
    return this.#failures
  }

  /** Counts a failure: a denial that the service confirmed, or another one. */
  add({ isDenied }: { isDenied: boolean }): void {
    this.#failures++
    this.#isDenied &&= isDenied
  }

  /** Whether the result of a probe would help to weigh the last failure: few peers make a wide bound. */
  get needsEvidence(): boolean {
    return !this.#hasPeerSucceeded || this.#peers.count < enoughPeers
  }

  /**
   * Weighs the last failure; once for each.
   *
   * @param options.maxAttempts never blamed before so many failures
   * @param options.canProbe a probe can tell whether the step works
   */
  verdict(now: number, { maxAttempts, canProbe }: { maxAttempts: number; canProbe: boolean }): Verdict {
    const peers = this.#peers
    if (this.#hasPeerSucceeded) {
      this.#chance *= failureShareBound(peers)
      this.#weighedAt = now
    } else if (this.#isDenied && !canProbe && peers.count > 0) {
      // Denials do not come and go as outages do, and nothing better than these peers may ever be known.
      this.#chance *= (peers.failed + 1) / (peers.count + 2)
    }
    if (this.#failures < maxAttempts || now - this.#firstAt < minFailingMs) return 'retry'
    if (this.#isDenied && peers.denied >= permissionShare * peers.count) return 'permission-missing'
    return this.#chance < maxChance ? 'image-at-fault' : 'retry'
  }

  get #peers(): PeerResults {
    return this.#log.since(this.#attemptBeganAt, this.#image)
  }

  /** After the last failure that was weighed. */
  get #hasPeerSucceeded(): boolean {
    return this.#log.lastSuccessAt > this.#weighedAt
  }
}

/**
 * @returns an upper bound on the true share of failures: the share seen, three standard errors, and 3/n, which bounds a
 * share of which nothing was seen in n trials (the "rule of three")
 */
export function failureShareBound({ count, failed }: PeerResults): number {
  if (count === 0) return 1
  const share = failed / count
  return Math.min(1, share + 3 * Math.sqrt((share * (1 - share)) / count) + 3 / count)
}

const maxResults = 100

type Outcome = 'succeeded' | 'failed' | 'denied'

/** The last hundred first attempts of images at one step. */
export class PeerLog {
  readonly #results: { at: number; outcome: Outcome; image: object | undefined }[] = []
  #lastSuccessAt = Number.NEGATIVE_INFINITY

  /** @param image whose attempt it was; undefined for a probe */
  add(at: number, outcome: Outcome, image?: object): void {
    this.#results.push({ at, outcome, image })
    if (this.#results.length > maxResults) this.#results.shift()
    if (outcome === 'succeeded') this.#lastSuccessAt = at
  }

  get lastSuccessAt(): number {
    return this.#lastSuccessAt
  }

  /**
   * What ended at or after a time: older results say nothing about an outage that began since.
   *
   * @param image its own attempts are left out
   */
  since(at: number, image: object): PeerResults {
    const peers = this.#results.filter((result) => result.at >= at && result.image !== image)
    const denied = peers.filter(({ outcome }) => outcome === 'denied').length
    const failed = peers.filter(({ outcome }) => outcome !== 'succeeded').length
    return { count: peers.length, failed, denied }
  }
}
