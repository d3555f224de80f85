/** A token bucket whose quota may change while it runs: what the simulated service admits. */
export class QuotaBucket {
  #perSecond: number
  #burstSeconds: number
  #tokens: number
  #filledAt: number
  readonly #now: () => number

  /**
   * @param perSecond 0 = no quota
   * @param burstSeconds the bucket's size in seconds of quota; it always holds at least one call
   * @param now milliseconds, monotonic
   */
  constructor(perSecond: number, burstSeconds: number, now: () => number) {
    this.#perSecond = perSecond
    this.#burstSeconds = burstSeconds
    this.#now = now
    this.#tokens = this.size
    this.#filledAt = now()
  }

  get size(): number {
    return Math.max(1, this.#perSecond * this.#burstSeconds)
  }

  change(perSecond: number): void {
    this.#fill()
    this.#perSecond = perSecond
    this.#tokens = Math.min(this.#tokens, this.size)
  }

  admits(): boolean {
    if (this.#perSecond === 0) return true
    this.#fill()
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }

  #fill(): void {
    const now = this.#now()
    this.#tokens = Math.min(this.size, this.#tokens + ((now - this.#filledAt) / 1000) * this.#perSecond)
    this.#filledAt = now
  }
}
