/** Pieces of work that run side by side, as many as `limit` allows at the moment. */
export class WorkInHand {
  readonly #limit: () => number
  readonly #running = new Set<object>()
  #changed = Promise.withResolvers<void>()
  #failure: { error: unknown } | undefined

  /** @param limit asked again whenever a piece of work ends */
  constructor(limit: () => number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#running.size
  }

  /** How many more may be started now. */
  get left(): number {
    return this.#limit() - this.#running.size
  }

  /** Starts work at once; it must deal with its own troubles: an error is taken for the end of everything. */
  start(work: () => Promise<void>): void {
    const piece = {}
    this.#running.add(piece)
    void work()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running.delete(piece)
        this.#wake()
      })
  }

  /** @returns when another piece may be started. @throws the first error of any piece */
  async room(): Promise<void> {
    while (this.#running.size >= this.#limit() && !this.#failure) await this.#changed.promise
    this.#rethrow()
  }

  /** @returns when nothing is running. @throws the first error of any piece */
  async finished(): Promise<void> {
    while (this.#running.size > 0) await this.#changed.promise
    this.#rethrow()
  }

  #rethrow(): void {
    if (this.#failure) throw this.#failure.error
  }

  #wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }
}
