import type { Estimate } from './pace-estimate.ts'

/** Since the estimate was made: calls and time without a throttled call. */
export interface Quiet {
  readonly calls: number
  readonly ms: number
}

export interface Circumstances {
  /** calls per second now */
  readonly rate: number
  /** until a throttled call is known to be one */
  readonly throttleMs: number
  /** of the calls of late, 0 to 1 */
  readonly throttledShare: number
}

/** In the first rise the doubt is reached after so many calls; later after fewer the larger it is. */
const firstCallsToDoubt = 20.8
const callsToDoubt = { least: 16.4, most: 61.7, perDoubt: 8.3 }
/** More calls than this throttled, and the rise is slower. */
const throttledShareAllowed = 0.029
const slowerPerShare = 20
/** A rise beyond the doubt may throttle this share of the quiet calls when it ends. */
const priceOfProbe = 0.0062
const leastProbe = 0.04
/**
 * After so many calls without a throttled one the quota must be another: the rate doubles, and again after each
 * `doublingMs`. One that is Amazon's default is doubted later than one that may be what another process leaves.
 */
const patience = { calls: 60, doublingMs: 1000, usual: { calls: 100, doublingMs: 2000 } }
const patienceMs = { least: 3000, most: 16_000 }
/** Amazon gives no quota this low: it is rather shared, and becomes free when the other process is done. */
const sharedBelow = { rate: 4.5, mostMs: 8000 }

/**
 * The rate (calls per second) after a quiet time. A call that was throttled is known as one only some time later,
 * so the calls of that time do not count as quiet.
 */
export function riseOver(estimate: Estimate, quiet: Quiet, now: Circumstances): number {
  const calls = Math.max(0, quiet.calls - (now.rate * 1.53 * now.throttleMs) / 1000)
  const above = Math.min(riseThroughDoubt(estimate, calls, now), mostAbove(estimate, calls, now))
  return estimate.rate * (1 + above) * riseOverTime(estimate, quiet)
}

function riseThroughDoubt(
  { isFirst, doubt }: Estimate,
  calls: number,
  { throttledShare }: Circumstances,
): number {
  if (isFirst) return doubt * (calls / firstCallsToDoubt) ** 2.74
  const slower = 1 + slowerPerShare * Math.max(0, throttledShare - throttledShareAllowed)
  const { least, most, perDoubt } = callsToDoubt
  const callsNeeded = Math.max(least, Math.min(most, perDoubt / doubt))
  return doubt * (calls / slower / callsNeeded) ** 2
}

/**
 * Beyond the doubt the rise is as high as can be paid for: until it is known that it went too far,
 * rate × above × time calls are throttled, and one more.
 */
function mostAbove({ doubt, rate }: Estimate, calls: number, { throttleMs }: Circumstances): number {
  const affordable = (priceOfProbe * calls - 1) / (rate * (throttleMs / 1000))
  return Math.max(doubt, leastProbe, affordable)
}

function riseOverTime({ rate, usual }: Estimate, { ms }: Quiet): number {
  const { calls, doublingMs } = usual > 0 ? patience.usual : patience
  const mostMs = rate < sharedBelow.rate ? sharedBelow.mostMs : patienceMs.most
  const quietMs = Math.max(patienceMs.least, Math.min(mostMs, (1000 * calls) / rate))
  return ms > quietMs ? 2 ** ((ms - quietMs) / doublingMs) : 1
}
