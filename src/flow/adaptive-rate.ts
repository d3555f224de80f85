import type { Permit } from './permit.ts'
import {
  detectQuotaDrop,
  estimateQuota,
  initialEstimate,
  type QuotaEstimate,
  ThrottleHistory,
} from './quota-estimate.ts'
import { type QuietPeriod, rateAfterQuiet } from './rate-growth.ts'

export interface AdaptiveRateOptions {
  readonly slowStart?: boolean
  readonly initialRatePerSecond?: number
  readonly now: () => number
}

/** The ramp's first rate per second, and the time in which it doubles; a slow start begins little that a crash wastes. */
const defaultRamp = { ratePerSecond: 50, doublingMs: 240 }
const slowRamp = { ratePerSecond: 20, doublingMs: 1000 }
/** By this share the quota may be higher than the rate that an earlier search has found. */
const initialRateUncertainty = 0.2
const minRatePerSecond = 0.5
const maxRatePerSecond = 2000
/** More answers than the smallest quota's bucket can hold: the ramp doubles once more, at once. */
const answersToDouble = 8
/** The ramp starts this many calls before the first answer, and this many more with each answer … */
const maxUnanswered = 6
const startsPerAnswer = 8
/** … and beyond that one call in this time. */
const holdMs = 131
/** One call raises the rate by this factor at most. */
const maxGrowthPerCall = 1.2
/** Consecutive throttled calls pause the limiter: up to `maxMs`, and after `longAfter` of them up to `maxLongMs`. */
const pause = { maxMs: 306, longAfter: 6, maxLongMs: 5000 }
/** Calls that start late are caught up by this much at most, so that late timers do not lower the rate … */
const maxCatchUpMs = 60
/** … and by less at low rates (ms × ms of interval), where a small bucket would throttle the early call. */
const catchUpByIntervalMs2 = 500
/** A call later than this was delayed by a lack of work, not by the limiter. */
const maxTimerLatenessMs = 25

/**
 * Finds the highest rate that a service admits from its answers alone, for token buckets of any size and for limits
 * per second. States:
 *
 * Ramp: the rate doubles every quarter of a second, and once with the first answers, until a call is throttled. That
 * gives the initial estimate. A rate that an earlier search has found replaces the ramp.
 *
 * Search: what was admitted between two throttled calls gives the quota (quota-estimate.ts), with an uncertainty of
 * how much higher it may be. The rate grows from the estimate, slowly through the uncertainty and faster beyond it
 * (rate-growth.ts), until the next throttled call gives the next estimate. So the rate stays within a percent or two
 * of the quota, has about one call in a hundred throttled, and follows a quota that rises or falls.
 *
 * Answers come late: one to a call that was started before the last estimate changes nothing.
 */
export class AdaptiveRate {
  readonly #now: () => number
  readonly #doublingMs: number
  readonly #history = new ThrottleHistory()
  /** start times of the calls of the last second */
  readonly #lastSecond: number[] = []
  #ratePerSecond: number
  #isRamping = true
  #estimate: QuotaEstimate = {
    ratePerSecond: 1,
    uncertainty: 1,
    isInitial: true,
    defaultQuota: 0,
    throttledAtRate: 0,
  }
  #estimatedAt = Number.NEGATIVE_INFINITY
  #quiet: QuietPeriod = { calls: 0, ms: 0 }
  #started = 0
  #succeeded = 0
  #throttled = 0
  /** `started` and `throttled` of the last few hundred calls */
  #recentStarted = 0
  #recentThrottled = 0
  #consecutiveThrottled = 0
  #lastThrottledSequence = 0
  /** running mean */
  #throttleLatencyMs = 0
  #firstStartAt = 0
  #lastStartAt = 0
  /** when the last call was due */
  #lastSlotAt = Number.NEGATIVE_INFINITY
  #pausedUntil = 0

  constructor({ slowStart = false, initialRatePerSecond = 0, now }: AdaptiveRateOptions) {
    const ramp = slowStart ? slowRamp : defaultRamp
    this.#now = now
    this.#ratePerSecond = ramp.ratePerSecond
    this.#doublingMs = ramp.doublingMs
    if (initialRatePerSecond > 0) this.#skipRamp(initialRatePerSecond)
  }

  get ratePerSecond(): number {
    return this.#ratePerSecond
  }

  get waitMs(): number {
    return Math.max(0, this.#dueAt - this.#now())
  }

  acquire(): Permit {
    const now = this.#now()
    const intervalMs = this.#intervalMs
    const dueAt = this.#dueAt
    const isFirst = this.#started === 0
    this.#started += 1
    this.#recentStarted += 1
    if (isFirst) this.#firstStartAt = now
    // Without work the rate says nothing about the quota: only a call that the limiter has held back raises it.
    else if (now - dueAt <= maxTimerLatenessMs + 1000 / this.#ratePerSecond) this.#grow(now)
    this.#lastStartAt = now
    this.#lastSecond.push(now)
    while ((this.#lastSecond[0] ?? now) < now - 1000) this.#lastSecond.shift()
    const catchUpMs = Math.min(maxCatchUpMs, catchUpByIntervalMs2 / intervalMs)
    this.#lastSlotAt = isFirst ? now : Math.max(dueAt, now - catchUpMs)
    return { sequence: this.#started, startedAt: now, ratePerSecond: this.#ratePerSecond }
  }

  succeeded(_permit: Permit): void {
    this.#succeeded += 1
    if (this.#isRamping && this.#succeeded === answersToDouble) this.#ratePerSecond *= 2
  }

  throttled(permit: Permit): void {
    this.#countThrottled(permit)
    if (permit.startedAt <= this.#estimatedAt) return
    this.#pauseIfConsecutive(permit)
    if (this.#isRamping) this.#endRamp(permit)
    else this.#reestimate(permit)
  }

  get #intervalMs(): number {
    const maxStarted = maxUnanswered + startsPerAnswer * this.#succeeded
    const isAheadOfAnswers = this.#isRamping && this.#started >= maxStarted
    return Math.max(1000 / this.#ratePerSecond, isAheadOfAnswers ? holdMs : 0)
  }

  get #dueAt(): number {
    return Math.max(this.#lastSlotAt + this.#intervalMs, this.#pausedUntil)
  }

  get #throttledShare(): number {
    return this.#recentThrottled / this.#recentStarted
  }

  #grow(now: number): void {
    const elapsedMs = Math.min(now - this.#lastStartAt, 1000 / this.#ratePerSecond + 15)
    if (this.#isRamping) {
      const doubled = this.#ratePerSecond * 2 ** (elapsedMs / this.#doublingMs)
      this.#ratePerSecond = Math.min(maxRatePerSecond, doubled)
      return
    }
    this.#quiet = { calls: this.#quiet.calls + 1, ms: this.#quiet.ms + elapsedMs }
    const grown = rateAfterQuiet(this.#estimate, this.#quiet, {
      ratePerSecond: this.#ratePerSecond,
      throttleLatencyMs: this.#throttleLatencyMs,
      throttledShare: this.#throttledShare,
    })
    const step = Math.min(grown, this.#ratePerSecond * maxGrowthPerCall)
    this.#ratePerSecond = Math.min(maxRatePerSecond, Math.max(this.#ratePerSecond, step))
  }

  #countThrottled(permit: Permit): void {
    const latencyMs = this.#now() - permit.startedAt
    this.#throttled += 1
    this.#recentThrottled += 1
    if (this.#recentStarted > 400) {
      this.#recentStarted /= 2
      this.#recentThrottled /= 2
    }
    const weight = this.#throttled === 1 ? 1 : 0.2
    this.#throttleLatencyMs += (latencyMs - this.#throttleLatencyMs) * weight
    this.#history.add(permit)
  }

  /** An exhausted bucket or window throttles every call: the limiter pauses, and the estimate stays. */
  #pauseIfConsecutive(permit: Permit): void {
    const intervalMs = 1000 / this.#ratePerSecond
    const isConsecutive =
      permit.sequence === this.#lastThrottledSequence + 1 ||
      permit.startedAt <= this.#estimatedAt + 1.3 * intervalMs
    this.#consecutiveThrottled = isConsecutive ? this.#consecutiveThrottled + 1 : 0
    this.#lastThrottledSequence = permit.sequence
    const { maxMs, longAfter, maxLongMs } = pause
    const limitMs = Math.min(maxLongMs, maxMs * 2 ** Math.max(0, this.#consecutiveThrottled - longAfter))
    const pauseMs = Math.min(limitMs, (2 ** this.#consecutiveThrottled - 1) * intervalMs)
    this.#pausedUntil = this.#now() + pauseMs
  }

  #skipRamp(initialRatePerSecond: number): void {
    this.#isRamping = false
    this.#ratePerSecond = Math.max(minRatePerSecond, Math.min(maxRatePerSecond, initialRatePerSecond))
    const uncertainty = initialRateUncertainty
    this.#estimate = { ...this.#estimate, ratePerSecond: this.#ratePerSecond, uncertainty, isInitial: false }
  }

  #endRamp(permit: Permit): void {
    this.#isRamping = false
    const seconds = (permit.startedAt - this.#firstStartAt) / 1000
    this.#adopt(initialEstimate(permit.sequence - this.#throttled, seconds, permit.ratePerSecond))
  }

  #reestimate(permit: Permit): void {
    const evidence = {
      permit,
      ratePerSecond: this.#ratePerSecond,
      admittedInLastSecond: this.#lastSecond.length - this.#history.countSince(this.#now() - 1000),
      throttledShare: this.#throttledShare,
    }
    const dropped = detectQuotaDrop(this.#history, evidence)
    if (dropped) this.#adopt({ ...this.#estimate, ...dropped, isInitial: false, defaultQuota: 0 })
    else if (this.#consecutiveThrottled > 0) {
      this.#adopt({ ...this.#estimate, ratePerSecond: this.#ratePerSecond })
    } else this.#adopt(estimateQuota(this.#history, evidence, this.#estimate))
  }

  #adopt(estimate: QuotaEstimate): void {
    this.#ratePerSecond = Math.max(minRatePerSecond, estimate.ratePerSecond)
    this.#estimate = { ...estimate, ratePerSecond: this.#ratePerSecond }
    this.#estimatedAt = this.#now()
    this.#quiet = { calls: 0, ms: 0 }
  }
}
