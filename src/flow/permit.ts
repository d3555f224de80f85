/**
 * One call that a rate limiter has admitted. Its outcome is reported with it, so that a late answer is judged by the
 * rate at which the call was started and not by the present one.
 */
export interface Permit {
  /** 1, 2, 3 … in the order of acquisition */
  readonly sequence: number
  /** in milliseconds on the limiter's clock */
  readonly startedAt: number
  /** the limiter's rate at that time */
  readonly ratePerSecond: number
}
