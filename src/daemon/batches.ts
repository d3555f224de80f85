/**
 * Gathers items into batches. Without `lingerMilliseconds` no item ever waits for company: it leaves at once
 * while fewer than `maxInFlight` batches are under way; what comes meanwhile leaves together as soon as one
 * returns. So under a light load nothing is delayed, and under a heavy one the batches fill by themselves.
 */
export class Batches<Item> {
  readonly #options: BatchOptions<Item>
  #waiting: Waiting<Item>[] = []
  #inFlight = 0
  #starting = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: BatchOptions<Item>) {
    this.#options = options
  }

  /** @returns when the batch with this item is done. @throws what `send` says of this item, or throws */
  add(item: Item): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#startSoon()
    })
  }

  /** When the batch is full or the time to linger is over; at the earliest a microtask later, so that items added together travel together. */
  #startSoon(): void {
    const { maxItems = Number.POSITIVE_INFINITY, lingerMilliseconds = 0 } = this.#options
    if (lingerMilliseconds > 0 && this.#waiting.length < maxItems) {
      this.#timer ??= setTimeout(() => this.#start(), lingerMilliseconds)
    } else if (!this.#starting) {
      this.#starting = true
      queueMicrotask(() => this.#start())
    }
  }

  #start(): void {
    this.#starting = false
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#waiting.length > 0 && this.#inFlight < this.#options.maxInFlight) void this.#sendNext()
  }

  async #sendNext(): Promise<void> {
    this.#inFlight++
    await this.#settle(this.#waiting.splice(0, this.#options.maxItems ?? this.#waiting.length))
    this.#inFlight--
    this.#start()
  }

  async #settle(batch: Waiting<Item>[]): Promise<void> {
    try {
      const failures = await this.#options.send(batch.map(({ item }) => item))
      batch.forEach(({ resolve, reject }, place) => {
        const failure = failures?.get(place)
        if (failure) reject(failure)
        else resolve()
      })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}

export interface BatchOptions<Item> {
  /** Items in one batch at most; undefined = all that wait. */
  readonly maxItems?: number
  readonly maxInFlight: number
  /** how long an item may wait for others to fill its batch; for what nobody waits for */
  readonly lingerMilliseconds?: number
  /** Sends a batch. @returns the items that failed, by their place in it; @throws when all failed */
  readonly send: (items: Item[]) => Promise<ReadonlyMap<number, Error> | undefined>
}

interface Waiting<Item> {
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}
