import { createHash } from 'node:crypto'

/**
 * LRU cache of recognition results, keyed by the image's bytes rather than its name: a second run over the same
 * images costs nothing, and concurrent requests for the same image share one computation.
 * Results are shared between callers and must not be modified.
 */
export class ResultCache<Result> {
  readonly #capacity: number
  /** A Map keeps insertion order: the first entry is the least recently used. */
  readonly #results = new Map<string, Promise<Result>>()

  /** @param capacity maximum number of results; 0 disables the cache */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** The cached result, or a new one. Failures are not cached. */
  get(kind: string, image: Uint8Array, compute: () => Promise<Result>): Promise<Result> {
    if (this.#capacity === 0) return compute()
    const key = `${kind} ${createHash('sha256').update(image).digest('base64')}`
    const result = this.#results.get(key) ?? this.#compute(key, compute)
    this.#results.delete(key)
    this.#results.set(key, result)
    this.#evictOldest()
    return result
  }

  #compute(key: string, compute: () => Promise<Result>): Promise<Result> {
    const result = compute()
    result.catch(() => {
      if (this.#results.get(key) === result) this.#results.delete(key)
    })
    return result
  }

  #evictOldest(): void {
    const [oldest] = this.#results.keys()
    if (this.#results.size > this.#capacity && oldest !== undefined) this.#results.delete(oldest)
  }
}
