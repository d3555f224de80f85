const windowMs = 10_000
const bucketMs = 100
/** A first event right after the start is not a thousand per second. */
const minSpanMs = 1000

/** Events per second over the last ten seconds. */
export class RateMeter {
  readonly #now: () => number
  readonly #startedAt: number
  readonly #buckets: { readonly at: number; count: number }[] = []

  /** @param now in milliseconds, monotonic */
  constructor(now: () => number) {
    this.#now = now
    this.#startedAt = now()
  }

  add(count = 1): void {
    const at = Math.floor(this.#now() / bucketMs) * bucketMs
    const latest = this.#buckets.at(-1)
    if (latest?.at === at) latest.count += count
    else this.#buckets.push({ at, count })
    this.#dropExpired()
  }

  get perSecond(): number {
    this.#dropExpired()
    const count = this.#buckets.reduce((sum, bucket) => sum + bucket.count, 0)
    const spanMs = Math.max(minSpanMs, Math.min(windowMs, this.#now() - this.#startedAt))
    return (1000 * count) / spanMs
  }

  #dropExpired(): void {
    const oldest = this.#now() - windowMs
    while ((this.#buckets[0]?.at ?? oldest) < oldest) this.#buckets.shift()
  }
}
