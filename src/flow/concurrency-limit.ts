/** The first limit, and its growth with each answer while it is what holds calls back. */
const defaultStart = { limit: 16, growth: 2 }
/** After a crash, which may happen again: all that is in flight then is paid for twice. */
const slowStartValues = { limit: 6, growth: 0.125 }
/** After a timeout the limit grows slowly, so that it does not overshoot again at once … */
const growthAfterTimeout = 0.125
/** … until this many answers came without another one. */
const answersToRecover = 500
const maxLimit = 1000
/** So few calls do not slow a service down: queueing does not reduce the limit further, timeouts do. */
const minQueueingLimit = 8
/** Answers in one sample of the latency. */
const sampleSize = 12
/** Slower than the baseline by this factor, and the service is queueing calls … */
const maxSlowdown = 2
/** … but not while it answers within this: in a long-tailed distribution a dozen answers often have twice the median. */
const tolerableLatencyMs = 3000

export interface ConcurrencyLimitOptions {
  /** after a crash: few calls at first */
  readonly slowStart?: boolean
  /** whether this process has no CPU time to spare; default never */
  readonly isSaturated?: () => boolean
}

/**
 * How many calls may be in flight. At a steady rate that is rate × latency. The rate is the rate limiter's business,
 * so the limit grows (threefold with each latency) while it is what holds calls back.
 *
 * Two signals reduce it. A latency far above the baseline, which was measured with few calls, means that the service
 * is queueing: more calls would only wait there, so the limit shrinks towards the point where that began. A timeout
 * means that a call did not get its share of the line or of the service: the limit halves, down to a single call
 * on a line that carries no more. While this process itself is saturated the limit does not grow.
 */
export class ConcurrencyLimit {
  readonly #normalGrowth: number
  readonly #isSaturated: () => boolean
  #limit: number
  #inFlight = 0
  /** whether the limit has held calls back since the last sample */
  #wasReached = false
  #sample: number[] = []
  #baselineMs = Number.POSITIVE_INFINITY
  #isQueueing = false
  #answersSinceTimeout = answersToRecover

  constructor({ slowStart = false, isSaturated = () => false }: ConcurrencyLimitOptions = {}) {
    const { limit, growth } = slowStart ? slowStartValues : defaultStart
    this.#limit = limit
    this.#normalGrowth = growth
    this.#isSaturated = isSaturated
  }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get hasRoom(): boolean {
    return this.#inFlight < this.limit
  }

  started(): void {
    this.#inFlight++
    if (!this.hasRoom) this.#wasReached = true
  }

  /** @param latencyMs from sending the call to its answer, without any wait before it */
  answered(latencyMs: number): void {
    this.#inFlight--
    this.#answersSinceTimeout++
    this.#sample.push(latencyMs)
    if (this.#sample.length >= sampleSize) this.#evaluateSample()
    if (this.#mayGrow) this.#limit = Math.min(maxLimit, this.#limit + this.#growth)
  }

  /** A call ended without saying anything about the latency: it was throttled, failed early or was aborted. */
  released(): void {
    this.#inFlight--
  }

  /** A call ended by its timeout. */
  timedOut(): void {
    this.#inFlight--
    this.#answersSinceTimeout = 0
    this.#limit = Math.max(1, this.#limit / 2)
  }

  get #mayGrow(): boolean {
    return this.#wasReached && !this.#isQueueing && !this.#isSaturated()
  }

  get #growth(): number {
    return this.#answersSinceTimeout < answersToRecover ? growthAfterTimeout : this.#normalGrowth
  }

  #evaluateSample(): void {
    const median = this.#sample.sort((a, b) => a - b)[sampleSize >> 1] ?? 0
    this.#sample = []
    // A service may have become slower for good: its latency with few calls is the new baseline.
    const isBaseline = this.#inFlight <= minQueueingLimit
    this.#baselineMs = isBaseline ? median : Math.min(median, this.#baselineMs)
    this.#isQueueing = median > Math.max(tolerableLatencyMs, maxSlowdown * this.#baselineMs)
    if (this.#isQueueing) {
      this.#limit = Math.max(Math.min(minQueueingLimit, this.#limit), this.#limit * 0.8)
    }
    this.#wasReached = !this.hasRoom
  }
}
