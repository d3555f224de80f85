/** So many tasks may wait for a retry without a slot; then no new ones are started. */
const maxParked = 100
/** Longer timers overflow and fire at once. */
const maxTimerMs = 60_000

/**
 * Runs tasks side by side, as many as `limit` allows at the moment. A task that only waits gives up its slot
 * (`outsideSlot`), so that long waits never keep other work from starting.
 */
export class TaskPool {
  readonly #limit: () => number
  #running = 0
  #parked = 0
  #changed = Promise.withResolvers<void>()
  #failure: { error: unknown } | undefined

  /** @param limit read again whenever a slot may become free */
  constructor(limit: () => number) {
    this.#limit = limit
  }

  /** Tasks that have been started and have not ended. */
  get size(): number {
    return this.#running + this.#parked
  }

  /** How many more tasks may be started now. */
  get availableSlots(): number {
    if (this.#parked >= maxParked) return 0
    return this.#limit() - this.#running
  }

  /** Starts a task at once. It must handle its own failures: an error ends the pool's work. */
  start(task: () => Promise<void>): void {
    this.#running++
    void task()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running--
        this.#wake()
      })
  }

  /** For a started task: waits without its slot, and takes one again afterwards, over the limit if need be. */
  async outsideSlot<T>(wait: () => Promise<T>): Promise<T> {
    this.#running--
    this.#parked++
    this.#wake()
    try {
      return await wait()
    } finally {
      this.#parked--
      this.#running++
      this.#wake()
    }
  }

  /**
   * Waits for a free slot, `maxMs` at most, so that the caller can show that it is alive in between.
   *
   * @returns whether there is one. @throws the first error of any task
   */
  async waitForSlot(maxMs: number): Promise<boolean> {
    const deadline = performance.now() + maxMs
    for (;;) {
      this.throwIfFailed()
      if (this.availableSlots > 0) return true
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return false
      await this.#changeWithin(leftMs)
    }
  }

  /** @returns whether nothing is running, after `maxMs` at most. @throws the first error of any task */
  async waitUntilIdle(maxMs: number): Promise<boolean> {
    const deadline = performance.now() + maxMs
    for (;;) {
      if (this.size === 0) {
        this.throwIfFailed()
        return true
      }
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) return false
      await this.#changeWithin(leftMs)
    }
  }

  /** @throws the first error of any task */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error
  }

  async #changeWithin(ms: number): Promise<void> {
    const { promise: elapsed, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, Math.min(ms, maxTimerMs))
    await Promise.race([this.#changed.promise, elapsed])
    clearTimeout(timer)
  }

  #wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }
}
