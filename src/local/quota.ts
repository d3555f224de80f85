export interface QuotaOptions {
  /** Requests per second; 0 = no quota. */
  maxRequestsPerSecond: number
  /** Milliseconds, monotonic. */
  now: () => number
}

/**
 * A token bucket, refilled at the quota's rate up to one second's worth (or one request, for a quota below one per
 * second).
 * Amazon keeps one for each account, region and operation (https://docs.aws.amazon.com/general/latest/gr/rekognition.html).
 */
export class Quota {
  readonly #perSecond: number
  readonly #now: () => number
  readonly #capacity: number
  #tokens: number
  #refilledAt: number

  constructor({ maxRequestsPerSecond, now }: QuotaOptions) {
    this.#perSecond = maxRequestsPerSecond
    this.#now = now
    this.#capacity = Math.max(1, maxRequestsPerSecond)
    this.#tokens = this.#capacity
    this.#refilledAt = now()
  }

  /** @returns false when the request exceeds the quota; a rejected request takes no token */
  tryAcquire(): boolean {
    if (this.#perSecond === 0) return true
    this.#refill()
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  #refill(): void {
    const now = this.#now()
    const gained = ((now - this.#refilledAt) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#capacity, this.#tokens + gained)
    this.#refilledAt = now
  }
}
