import type { Ticket } from './pace.ts'
import type { ThrottleRecord } from './pace-throttles.ts'

/** What is thought of the quota. */
export interface Estimate {
  /** calls per second, rather too low than too high */
  readonly rate: number
  /** it may be higher by this share of it */
  readonly doubt: number
  /** made of the ramp alone, which cannot tell a large bucket from a high quota */
  readonly isFirst: boolean
  /** the usual quota that it was taken for; 0 = none */
  readonly usual: number
  /** the rate at which a call was throttled last, not counting those in a row; 0 = unknown */
  readonly throttledAt: number
}

export interface Evidence {
  /** the call that was throttled */
  readonly ticket: Ticket
  /** calls per second now */
  readonly rate: number
  readonly admittedInLastSecond: number
  /** of the calls of late, 0 to 1 */
  readonly throttledShare: number
}

/**
 * Amazon's quotas by default, in calls per second: by region (https://docs.aws.amazon.com/general/latest/gr/rekognition.html).
 * Where the evidence fits one of them it is taken for that one, a little below it.
 */
const usualQuotas = [5, 50]
const usualShare = 0.98
const usualDoubt = 0.03
/** A bucket is thought to hold so many seconds of the quota. */
const usualBurstSeconds = 1.13
const mostDoubt = 3.9
const leastDoubt = 0.007
/** The search may throttle up to this share of the calls, and then goes above what was admitted by up to that share. */
const throttledShareWanted = 0.022
const mostAbove = 0.012
/** In a second the service admits at most the quota and a burst: the quota is at least this share of it. */
const shareWithoutBurst = 0.653
/** Below a rate that was throttled twice, or once without any other evidence, go so far. */
const belowThrottled = 0.889
/** Shorter times tell too little: windows of a second are used up in a part of it. */
const leastMs = 1010

/** The first estimate, at the ramp's end: `admitted` calls in so many seconds, the last of them at this rate. */
export function firstGuess(admitted: number, seconds: number, rate: number): Estimate {
  const guess = Math.max(1, admitted) / (usualBurstSeconds + seconds)
  const least = usualQuotas[0]
  const usual = usualQuotas.find((quota) => (quota === least || guess > quota * 0.5) && guess < quota * 1.86)
  const common = { isFirst: true, usual: usual ?? 0, throttledAt: 0 }
  if (usual) return { ...common, rate: Math.min(rate, usual * usualShare), doubt: mostDoubt }
  return { ...common, rate: Math.min(rate, guess), doubt: Math.min(mostDoubt, rate / guess - 1) }
}

/** A quota that has become much lower, by calls of which many are throttled; undefined when it has not. */
export function fallenQuota(
  throttles: ThrottleRecord,
  { ticket, rate, admittedInLastSecond }: Evidence,
): Pick<Estimate, 'rate' | 'doubt'> | undefined {
  const enough = 6
  for (const { admitted, throttled, ms } of throttles.untilNewest()) {
    if (admitted < enough) continue
    if (throttled < 3 || throttled < 0.25 * (admitted + throttled)) return undefined
    const fallen = Math.max((1000 * admitted) / ms, shareWithoutBurst * admittedInLastSecond)
    if (fallen > 0.97 * rate) return undefined
    const doubt = Math.min(ticket.rate, admittedInLastSecond) / fallen - 1
    return { rate: fallen, doubt: Math.max(doubt, 1 / enough) }
  }
  return undefined
}

/**
 * The estimate after a throttled call. What was admitted between two throttled calls is the quota, if the service
 * could not admit more at any time: else it is less, but never more. So the largest counts, and the rate at which the
 * call was throttled is the most that the quota can be.
 */
export function estimateQuota(throttles: ThrottleRecord, evidence: Evidence, before: Estimate): Estimate {
  const { ticket, rate, admittedInLastSecond } = evidence
  const most = ticket.rate > 20 ? Math.min(ticket.rate, admittedInLastSecond) : ticket.rate
  const isConfirmed = Math.abs(most / before.throttledAt - 1) < 0.06
  const known = isConfirmed ? belowThrottled * Math.min(most, before.throttledAt) : 0
  const common = { isFirst: false, throttledAt: most }
  const least = largestAdmitted(throttles)
  if (!least) return { ...before, ...common, rate: Math.min(rate, known || rate * belowThrottled) }

  const usual = usualQuota(least, most, evidence, before)
  if (usual) return { ...common, usual, rate: usual * usualShare, doubt: usualDoubt }
  const above = Math.min(mostAbove, Math.max(0, throttledShareWanted - evidence.throttledShare))
  const admitted = Math.max(least.rate * (1 + above), shareWithoutBurst * admittedInLastSecond, known)
  const estimate = Math.min(rate, admitted)
  const doubt = Math.max(most / estimate - 1, 1.09 / least.calls, leastDoubt)
  return { ...common, usual: 0, rate: estimate, doubt: Math.min(10, doubt) }
}

interface Admitted {
  readonly calls: number
  readonly rate: number
}

function largestAdmitted(throttles: ThrottleRecord): Admitted | undefined {
  let largest: Admitted | undefined
  for (const { admitted: calls, ms } of throttles.untilNewest()) {
    if (ms < leastMs || calls < 2) continue
    const rate = (1000 * (calls - 0.5)) / ms
    if (!largest || rate > largest.rate) largest = { calls, rate }
    if (calls > 300 && ms > 5000) break
  }
  return largest
}

/** The usual quota that lies between both limits; not the one that it was just taken for, if that was refuted. */
function usualQuota(
  least: Admitted,
  most: number,
  { ticket }: Evidence,
  before: Estimate,
): number | undefined {
  const surelyLeast = least.rate * (1 - 1 / least.calls) * 0.96
  const surelyMost = least.rate * (1 + 1.5 / least.calls)
  return usualQuotas.find((quota) => {
    if (quota <= surelyLeast || quota > most * 1.02) return false
    return before.usual !== quota || ticket.rate > quota * 1.05 || quota <= surelyMost
  })
}
