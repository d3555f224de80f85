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
 *
 * Probes supply the evidence when there are no other images. But a probe is no image: a service may answer it at once while
 * its back end fails every real image, and a first byte comes over a line on which a photograph times out. So
 * - probes have a log of their own and never displace what happened to images;
 * - they count only while no other image fails at the step, and what they showed is dropped when another one begins to: while
 *   several fail and no real image succeeds, nobody is at fault;
 * - if that lasts for ten minutes while probes succeed, an image that was read before is asked about again, now and then, and
 *   counts as any image: so images that are all broken do not keep a run from its end. Without such an image, or while it fails
 *   too, the detector ends with exit code 69 and the reader keeps trying;
 * - against a denial they always count: permissions are checked before an image is looked at.
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
/** While nothing is known about real images but failures for so long, one that was read is worth its price again. */
export const witnessAfterMs = 600_000
/** When nearly every image and probe is denied, it is a permission and not the image. */
const permissionShare = 0.95
const enoughPeers = 30

/** The failures of one image at one step, in a row. Times are monotonic milliseconds. */
export class FailureStreak {
  readonly #evidence: StepEvidence
  readonly #image: object
  readonly #attemptBeganAt: number
  readonly #firstAt: number
  #failures = 0
  #isDenied = true
  /** by what happened to other images, and by probes as well */
  #chance = { byImages: 1, byProbes: 1 }
  #weighedAt: number

  /**
   * @param image as in the evidence about the step
   * @param first when the first attempt that failed began, and when it failed
   */
  constructor(evidence: StepEvidence, image: object, first: { beganAt: number; failedAt: number }) {
    this.#evidence = evidence
    this.#image = image
    this.#attemptBeganAt = first.beganAt
    this.#firstAt = first.failedAt
    this.#weighedAt = first.failedAt
  }

  get failures(): number {
    return this.#failures
  }

  /** Whether every failure was a denial. */
  get isDenied(): boolean {
    return this.#isDenied
  }

  /** Counts a failure: a denial that the service confirmed, or another one. */
  add({ isDenied }: { isDenied: boolean }): void {
    this.#failures++
    this.#isDenied &&= isDenied
  }

  /** Whether the result of a probe would help to weigh the last failure: few peers make a wide bound. */
  get needsEvidence(): boolean {
    return this.#doProbesCount && (!this.#hasPeerSucceeded || this.#peers.count < enoughPeers)
  }

  /** Whether only a real image that succeeds would help to weigh the last failure, and has been waited for long enough. */
  needsWitness(now: number): boolean {
    if (this.#doProbesCount || now - this.#firstAt < witnessAfterMs) return false
    return this.#evidence.images.lastSuccessAt <= this.#weighedAt
  }

  /** Whether the step has succeeded for a real image since the first failure. */
  get hasImageSucceeded(): boolean {
    return this.#evidence.images.lastSuccessAt > this.#firstAt
  }

  /** Since the first failure. */
  ageMs(now: number): number {
    return now - this.#firstAt
  }

  /** Whether it has failed often enough, and for long enough, to be judged. */
  isDue(now: number, maxAttempts: number): boolean {
    return this.#failures >= maxAttempts && now - this.#firstAt >= minFailingMs
  }

  /**
   * Weighs the last failure; once for each.
   *
   * @param options.maxAttempts never blamed before so many failures
   * @param options.canProbe a probe can tell whether the step works
   */
  verdict(now: number, { maxAttempts, canProbe }: { maxAttempts: number; canProbe: boolean }): Verdict {
    const isWeighed = this.#weigh(now, canProbe)
    if (!this.isDue(now, maxAttempts)) return 'retry'
    if (this.#isDenied && this.#isPermissionMissing(canProbe)) return 'permission-missing'
    const chance = this.#doProbesCount ? this.#chance.byProbes : this.#chance.byImages
    return isWeighed && chance < maxChance ? 'image-at-fault' : 'retry'
  }

  /** @returns whether anything is known about the last failure */
  #weigh(now: number, canProbe: boolean): boolean {
    const isImage = this.#evidence.images.lastSuccessAt > this.#weighedAt
    if (isImage) this.#chance.byImages *= failureShareBound(this.#imagePeers)
    if (!this.#doProbesCount) this.#chance.byProbes = this.#chance.byImages
    const peers = this.#peers
    if (this.#hasPeerSucceeded) {
      if (this.#doProbesCount) this.#chance.byProbes *= failureShareBound(peers)
      this.#weighedAt = now
      return true
    }
    if (!this.#isDenied || canProbe || peers.count === 0) return false
    // Denials do not come and go as outages do, and nothing better than these peers may ever be known.
    this.#chance.byProbes *= (peers.failed + 1) / (peers.count + 2)
    return true
  }

  /** Also when nothing else was ever tried and no probe is possible: then all that is known was denied. */
  #isPermissionMissing(canProbe: boolean): boolean {
    const { count, denied } = this.#peers
    return count === 0 ? !canProbe : denied >= permissionShare * count
  }

  get #doProbesCount(): boolean {
    return this.#isDenied || !this.#evidence.isOtherFailing(this.#image)
  }

  get #imagePeers(): PeerResults {
    return this.#evidence.images.since(this.#attemptBeganAt, this.#image)
  }

  get #peers(): PeerResults {
    const images = this.#imagePeers
    if (!this.#doProbesCount) return images
    const probes = this.#evidence.probes.since(this.#attemptBeganAt)
    return {
      count: images.count + probes.count,
      failed: images.failed + probes.failed,
      denied: images.denied + probes.denied,
    }
  }

  /** After the last failure that was weighed. */
  get #hasPeerSucceeded(): boolean {
    const { images, probes } = this.#evidence
    const lastProbeAt = this.#doProbesCount ? probes.lastSuccessAt : Number.NEGATIVE_INFINITY
    return Math.max(images.lastSuccessAt, lastProbeAt) > this.#weighedAt
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

export type Outcome = 'succeeded' | 'failed' | 'denied'

/** What is known about one step: how it went for images, how for probes, and which images it fails for at present. */
export class StepEvidence {
  readonly images = new PeerLog()
  readonly probes = new PeerLog()
  readonly #failing = new Set<object>()

  /** The latest failure counts. A denial is an answer: it does not make others suspect an outage. */
  failed(image: object, outcome: Outcome): void {
    if (outcome === 'failed') this.#failing.add(image)
    else this.#failing.delete(image)
  }

  /** The step has succeeded for the image, or the image has an outcome. */
  ended(image: object): void {
    this.#failing.delete(image)
  }

  isOtherFailing(image: object): boolean {
    return this.#failing.size > (this.#failing.has(image) ? 1 : 0)
  }
}

/** The last hundred first attempts of images at one step, or the last hundred probes. */
export class PeerLog {
  readonly #results: { at: number; outcome: Outcome; image: object | undefined }[] = []
  #lastSuccessAt = Number.NEGATIVE_INFINITY

  /** @param image whose attempt it was; none for a probe */
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
  since(at: number, image?: object): PeerResults {
    const isOther = (result: { image: object | undefined }) => image === undefined || result.image !== image
    const peers = this.#results.filter((result) => result.at >= at && isOther(result))
    const denied = peers.filter(({ outcome }) => outcome === 'denied').length
    const failed = peers.filter(({ outcome }) => outcome !== 'succeeded').length
    return { count: peers.length, failed, denied }
  }
}
