import type { Permit } from './permit.ts'

export interface QuotaEstimate {
  /** calls per second, rather too low than too high */
  readonly ratePerSecond: number
  /** the quota may be higher than the estimate by this share of it */
  readonly uncertainty: number
  /** made from the ramp alone, which cannot tell a large burst capacity from a high quota */
  readonly isInitial: boolean
  /** the default quota that the estimate matches; 0 = none */
  readonly defaultQuota: number
  /** rate at which a call was last throttled, apart from consecutive ones; 0 = unknown */
  readonly throttledAtRate: number
}

/** What is known when a call has been throttled. */
export interface Evidence {
  /** of the throttled call */
  readonly permit: Permit
  /** the present rate */
  readonly ratePerSecond: number
  readonly admittedInLastSecond: number
  /** share of recent calls that were throttled, 0 to 1 */
  readonly throttledShare: number
}

/**
 * AWS's default quotas of DetectLabels and DetectText, in calls per second by region
 * (https://docs.aws.amazon.com/general/latest/gr/rekognition.html). An estimate that is compatible with one of them
 * is taken to be that one, slightly below it.
 */
const defaultQuotas = [5, 50]
const defaultQuotaShare = 0.98
const defaultQuotaUncertainty = 0.03
/** The service's token bucket is assumed to hold this many seconds of the quota. */
const assumedBurstSeconds = 1.13
const maxInitialUncertainty = 3.9
const minUncertainty = 0.007
const maxUncertainty = 10
/** While fewer calls than this are throttled, the estimate goes above what was admitted by the difference … */
const targetThrottledShare = 0.022
/** … but not by more than this. */
const maxAboveAdmitted = 0.012
/** A second admits the quota plus a burst: the quota is at least this share of what it admitted. */
const minQuotaShareOfSecond = 0.653
/** How far to go below a rate that was throttled twice, or once without other evidence. */
const belowThrottledRate = 0.889
/** Shorter spans prove nothing: fixed windows of a second are used up in a part of it. */
const minSpanMs = 1010
/** Admitted calls that are enough to detect a drop of the quota. */
const minCallsForDrop = 6

/**
 * The first estimate, at the end of the ramp.
 *
 * @param admitted calls that the service admitted
 * @param seconds duration of the ramp
 * @param ratePerSecond rate of the call that was throttled
 */
export function initialEstimate(admitted: number, seconds: number, ratePerSecond: number): QuotaEstimate {
  const guess = Math.max(1, admitted) / (assumedBurstSeconds + seconds)
  const [lowestDefault] = defaultQuotas
  const defaultQuota = defaultQuotas.find(
    (quota) => (quota === lowestDefault || guess > quota * 0.5) && guess < quota * 1.86,
  )
  if (defaultQuota !== undefined) {
    return {
      ratePerSecond: Math.min(ratePerSecond, defaultQuota * defaultQuotaShare),
      uncertainty: maxInitialUncertainty,
      isInitial: true,
      defaultQuota,
      throttledAtRate: 0,
    }
  }
  return {
    ratePerSecond: Math.min(ratePerSecond, guess),
    uncertainty: Math.min(maxInitialUncertainty, ratePerSecond / guess - 1),
    isInitial: true,
    defaultQuota: 0,
    throttledAtRate: 0,
  }
}

/**
 * Detects a quota that has become much lower: a large share of the last calls was throttled.
 *
 * @returns undefined when it has not
 */
export function detectQuotaDrop(
  history: ThrottleHistory,
  { permit, ratePerSecond, admittedInLastSecond }: Evidence,
): Pick<QuotaEstimate, 'ratePerSecond' | 'uncertainty'> | undefined {
  for (const { admitted, throttled, ms } of history.spansToLatest()) {
    if (admitted < minCallsForDrop) continue
    if (throttled < 3 || throttled < 0.25 * (admitted + throttled)) return undefined
    const dropped = Math.max((1000 * admitted) / ms, minQuotaShareOfSecond * admittedInLastSecond)
    if (dropped > 0.97 * ratePerSecond) return undefined
    const uncertainty = Math.min(permit.ratePerSecond, admittedInLastSecond) / dropped - 1
    return { ratePerSecond: dropped, uncertainty: Math.max(uncertainty, 1 / minCallsForDrop) }
  }
  return undefined
}

/**
 * The estimate after a throttled call. Between two throttled calls the service admitted its quota, or less where it
 * had capacity to spare, but never more. So the highest rate admitted counts as the lower bound, and the rate at
 * which the call was throttled as the upper bound.
 */
export function estimateQuota(
  history: ThrottleHistory,
  evidence: Evidence,
  previous: QuotaEstimate,
): QuotaEstimate {
  const { permit, ratePerSecond, admittedInLastSecond, throttledShare } = evidence
  const upper =
    permit.ratePerSecond > 20 ? Math.min(permit.ratePerSecond, admittedInLastSecond) : permit.ratePerSecond
  const isConfirmed = Math.abs(upper / previous.throttledAtRate - 1) < 0.06
  const confirmed = isConfirmed ? belowThrottledRate * Math.min(upper, previous.throttledAtRate) : 0
  const common = { isInitial: false, throttledAtRate: upper }

  const lower = highestAdmittedRate(history)
  if (!lower) {
    const reduced = Math.min(ratePerSecond, confirmed || ratePerSecond * belowThrottledRate)
    return { ...previous, ...common, ratePerSecond: reduced }
  }
  const defaultQuota = matchingDefaultQuota(lower, upper, permit, previous)
  if (defaultQuota !== undefined) {
    const rate = defaultQuota * defaultQuotaShare
    return { ...common, defaultQuota, ratePerSecond: rate, uncertainty: defaultQuotaUncertainty }
  }
  const above = Math.min(maxAboveAdmitted, Math.max(0, targetThrottledShare - throttledShare))
  const admitted = lower.ratePerSecond * (1 + above)
  const rate = Math.min(
    ratePerSecond,
    Math.max(admitted, minQuotaShareOfSecond * admittedInLastSecond, confirmed),
  )
  const uncertainty = Math.max(upper / rate - 1, 1.09 / lower.calls, minUncertainty)
  return {
    ...common,
    defaultQuota: 0,
    ratePerSecond: rate,
    uncertainty: Math.min(maxUncertainty, uncertainty),
  }
}

interface AdmittedRate {
  readonly calls: number
  readonly ratePerSecond: number
}

function highestAdmittedRate(history: ThrottleHistory): AdmittedRate | undefined {
  let highest: AdmittedRate | undefined
  for (const { admitted: calls, ms } of history.spansToLatest()) {
    if (ms < minSpanMs || calls < 2) continue
    const ratePerSecond = (1000 * (calls - 0.5)) / ms
    if (!highest || ratePerSecond > highest.ratePerSecond) highest = { calls, ratePerSecond }
    if (calls > 300 && ms > 5000) break
  }
  return highest
}

/** The default quota between both bounds, unless the last estimate was just that one and has been refuted. */
function matchingDefaultQuota(
  lower: AdmittedRate,
  upper: number,
  permit: Permit,
  previous: QuotaEstimate,
): number | undefined {
  const certainLower = lower.ratePerSecond * (1 - 1 / lower.calls) * 0.96
  const certainUpper = lower.ratePerSecond * (1 + 1.5 / lower.calls)
  return defaultQuotas.find((quota) => {
    if (quota <= certainLower || quota > upper * 1.02) return false
    return previous.defaultQuota !== quota || permit.ratePerSecond > quota * 1.05 || quota <= certainUpper
  })
}

/** What the service did between two throttled calls. */
export interface ThrottleSpan {
  readonly admitted: number
  readonly throttled: number
  readonly ms: number
}

const maxHistory = 100

/**
 * The last throttled calls, in the order in which they were started. The service admitted every call between two of
 * them that was not throttled, whether it has been answered yet or not.
 */
export class ThrottleHistory {
  readonly #permits: Permit[] = []

  add(permit: Permit): void {
    const previous = this.#permits.findLastIndex(({ sequence }) => sequence < permit.sequence)
    this.#permits.splice(previous + 1, 0, permit)
    if (this.#permits.length > maxHistory) this.#permits.shift()
  }

  /** Number of throttled calls that were started at or after a time in milliseconds. */
  countSince(at: number): number {
    return this.#permits.filter(({ startedAt }) => startedAt >= at).length
  }

  /** The spans from each earlier throttled call to the latest one, the shortest first. */
  *spansToLatest(): Generator<ThrottleSpan> {
    const latest = this.#permits.at(-1)
    if (!latest) return
    for (let i = this.#permits.length - 2; i >= 0; i--) {
      const start = this.#permits[i]
      if (!start) return
      const throttled = this.#permits.length - 1 - i
      const admitted = latest.sequence - start.sequence - throttled
      yield { admitted, throttled, ms: latest.startedAt - start.startedAt }
    }
  }
}
