/** How a service may count: by a token bucket, over the last second, or by the whole seconds of a clock. */
export type QuotaKind = 'bucket' | 'sliding' | 'fixed'

export interface ServiceQuota {
  /** Whether a call that arrives now (ms, monotonic) is admitted at this quota (calls per second). */
  admits(now: number, quota: number): boolean
}

/** @param burstSeconds capacity of the bucket in seconds of the quota; it always holds at least one call */
export function createServiceQuota(kind: QuotaKind, burstSeconds: number, phaseMs: number): ServiceQuota {
  if (kind === 'bucket') return tokenBucket(burstSeconds)
  return kind === 'sliding' ? slidingWindow() : fixedWindow(phaseMs)
}

function tokenBucket(burstSeconds: number): ServiceQuota {
  let tokens = Number.POSITIVE_INFINITY
  let filledAt = 0
  return {
    admits(now, quota) {
      const capacity = Math.max(1, burstSeconds * quota)
      tokens = Math.min(capacity, tokens + ((now - filledAt) / 1000) * quota)
      filledAt = now
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}

function slidingWindow(): ServiceQuota {
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

function fixedWindow(phaseMs: number): ServiceQuota {
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
