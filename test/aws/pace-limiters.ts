/** How a service may count: a token bucket, the last second, or the whole seconds of a clock. */
export type LimiterKind = 'bucket' | 'sliding' | 'fixed'

export interface Limiter {
  /** True when the call that arrives now (ms, never going back) is admitted at this quota (calls per second). */
  admits(now: number, quota: number): boolean
}

/** @param burstSeconds the bucket's size in seconds of quota; a bucket always holds at least one call */
export function makeLimiter(kind: LimiterKind, burstSeconds: number, phaseMs: number): Limiter {
  if (kind === 'bucket') return tokenBucket(burstSeconds)
  return kind === 'sliding' ? slidingSecond() : fixedSeconds(phaseMs)
}

function tokenBucket(burstSeconds: number): Limiter {
  let tokens = Number.POSITIVE_INFINITY
  let before = 0
  return {
    admits(now, quota) {
      const size = Math.max(1, burstSeconds * quota)
      tokens = Math.min(size, tokens + ((now - before) / 1000) * quota)
      before = now
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}

function slidingSecond(): Limiter {
  const admitted: number[] = []
  return {
    admits(now, quota) {
      while (admitted.length > 0 && (admitted[0] ?? 0) <= now - 1000) admitted.shift()
      if (admitted.length >= quota) return false
      admitted.push(now)
      return true
    },
  }
}

function fixedSeconds(phaseMs: number): Limiter {
  let second = -1
  let count = 0
  return {
    admits(now, quota) {
      const current = Math.floor((now + phaseMs) / 1000)
      if (current !== second) count = 0
      second = current
      if (count >= quota) return false
      count += 1
      return true
    },
  }
}
