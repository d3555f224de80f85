import { AdaptiveRate } from './adaptive-rate.ts'
import { FixedRate } from './fixed-rate.ts'
import type { Permit } from './permit.ts'

export interface RateLimiterOptions {
  /** maximum rate; 0 = find the service's quota */
  readonly maxRequestsPerSecond: number
  /** start at a low rate and increase it slowly: after a crash, which may happen again */
  readonly slowStart?: boolean
  /** `ratePerSecond` of an earlier search, to start from; one that is too low costs more time than none */
  readonly initialRatePerSecond?: number
  /** in milliseconds, monotonic */
  readonly now: () => number
}

/**
 * Spaces the calls of one operation. It sets no timers: the caller waits for `waitMs`, then acquires a permit and
 * sends the call at once. No permit is reserved ahead.
 */
export interface RateLimiter {
  /** the present rate; of a search, the best estimate of the service's quota */
  readonly ratePerSecond: number
  /** Until the next permit is due; 0 = now. Any outcome reported meanwhile may shorten it. */
  readonly waitMs: number
  /** Admits one call, now. */
  acquire(): Permit
  /** The service accepted the call, even if it refused the image in it. */
  succeeded(permit: Permit): void
  /** The service rejected the call because of its rate. */
  throttled(permit: Permit): void
}

export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  return options.maxRequestsPerSecond > 0 ? new FixedRate(options) : new AdaptiveRate(options)
}
