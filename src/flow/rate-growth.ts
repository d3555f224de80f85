import type { QuotaEstimate } from './quota-estimate.ts'

/** Calls and time since the estimate was made, without a throttled call. */
export interface QuietPeriod {
  readonly calls: number
  readonly ms: number
}

export interface RateState {
  readonly ratePerSecond: number
  /** mean time from the start of a call to the answer that it was throttled */
  readonly throttleLatencyMs: number
  /** share of recent calls that were throttled, 0 to 1 */
  readonly throttledShare: number
}

/** The first growth covers the uncertainty in this many calls. */
const firstCallsToCover = 20.8
/** Later growth covers it in fewer calls the larger it is. */
const callsToCover = { min: 16.4, max: 61.7, perUncertainty: 8.3 }
/** Above this share of throttled calls growth slows down, by so much for each unit of excess. */
const maxThrottledShare = 0.029
const slowdownPerShare = 20
/** Probing beyond the uncertainty may cost this share of the quiet calls in throttled ones. */
const probeThrottleShare = 0.0062
const minProbe = 0.04
/**
 * After this many calls without a throttled one the quota must have changed: the rate doubles, and again after each
 * `doublingMs`. A default quota is given up later than a rate that may be what another process leaves over.
 */
const probeAfter = { calls: 60, doublingMs: 1000 }
const probeDefaultAfter = { calls: 100, doublingMs: 2000 }
const probeAfterMs = { min: 3000, max: 16_000 }
/** AWS grants no quota this low: it is shared with another process, and is free again when that ends. */
const sharedQuota = { maxPerSecond: 4.5, probeAfterMs: 8000 }

/**
 * The rate per second after a quiet period: slow growth through the estimate's uncertainty, then as much as can be
 * afforded, then doubling.
 */
export function rateAfterQuiet(estimate: QuotaEstimate, quiet: QuietPeriod, state: RateState): number {
  // Whether the calls of the last throttle latency were throttled is not known yet: they do not count as quiet.
  const calls = Math.max(0, quiet.calls - (state.ratePerSecond * 1.53 * state.throttleLatencyMs) / 1000)
  const growth = Math.min(growthThroughUncertainty(estimate, calls, state), maxGrowth(estimate, calls, state))
  return estimate.ratePerSecond * (1 + growth) * growthAfterLongQuiet(estimate, quiet)
}

function growthThroughUncertainty(
  { isInitial, uncertainty }: QuotaEstimate,
  calls: number,
  { throttledShare }: RateState,
): number {
  if (isInitial) return uncertainty * (calls / firstCallsToCover) ** 2.74
  const slowdown = 1 + slowdownPerShare * Math.max(0, throttledShare - maxThrottledShare)
  const { min, max, perUncertainty } = callsToCover
  const callsNeeded = Math.max(min, Math.min(max, perUncertainty / uncertainty))
  return uncertainty * (calls / slowdown / callsNeeded) ** 2
}

/**
 * Growth is limited by its price: before it is known to have gone too far, rate × growth × latency calls are
 * throttled, and the one that shows it.
 */
function maxGrowth(
  { uncertainty, ratePerSecond }: QuotaEstimate,
  calls: number,
  { throttleLatencyMs }: RateState,
): number {
  const affordable = (probeThrottleShare * calls - 1) / (ratePerSecond * (throttleLatencyMs / 1000))
  return Math.max(uncertainty, minProbe, affordable)
}

function growthAfterLongQuiet({ ratePerSecond, defaultQuota }: QuotaEstimate, { ms }: QuietPeriod): number {
  const { calls, doublingMs } = defaultQuota > 0 ? probeDefaultAfter : probeAfter
  const maxMs = ratePerSecond < sharedQuota.maxPerSecond ? sharedQuota.probeAfterMs : probeAfterMs.max
  const quietMs = Math.max(probeAfterMs.min, Math.min(maxMs, (1000 * calls) / ratePerSecond))
  return ms > quietMs ? 2 ** ((ms - quietMs) / doublingMs) : 1
}
