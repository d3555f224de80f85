export interface QuotaOptions {
  /** Requests a second; 0 = no quota. */
  maxRequestsPerSecond: number
  /** Milliseconds, monotonic. */
  now: () => number
}

/**
 * A token bucket: requests are taken out of it, and it fills again at the quota's rate up to one second's worth
 * (or one request, for a quota below one a second).
 * Amazon keeps one for each account, region and operation (https://docs.aws.amazon.com/general/latest/gr/rekognition.html).
 */
export class Quota {
  readonly #perSecond: number
  readonly #now: () => number
  readonly #capacity: number
  #tokens: number
  #filledAt: number

  constructor({ maxRequestsPerSecond, now }: QuotaOptions) {
    this.#perSecond = maxRequestsPerSecond
    this.#now = now
    this.#capacity = Math.max(1, maxRequestsPerSecond)
    this.#tokens = this.#capacity
    this.#filledAt = now()
  }

  /** @returns false when the request is beyond the quota; such a request costs nothing */
  admits(): boolean {
    if (this.#perSecond === 0) return true
    this.#fill()
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  #fill(): void {
    const now = this.#now()
    const gained = ((now - this.#filledAt) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#capacity, this.#tokens + gained)
    this.#filledAt = now
  }
}
