export interface BatcherOptions<Item> {
  /** maximum size of a batch; absent = no maximum */
  readonly maxItems?: number
  /** maximum number of batches being sent at once */
  readonly maxInFlight: number
  /** how long an item may wait for others to fill its batch; absent = not at all */
  readonly lingerMs?: number
  /** Sends a batch. @returns the items that failed, by their index in it. @throws when all of them failed */
  readonly send: (items: Item[]) => Promise<ReadonlyMap<number, Error> | undefined>
}

interface PendingItem<Item> {
  readonly item: Item
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Gathers items into batches. Without `lingerMs` an item leaves at once while fewer than `maxInFlight` batches are
 * being sent; what comes meanwhile leaves together as soon as one of them returns. So nothing is delayed under a light
 * load, and batches fill under a heavy one. With `lingerMs` a batch leaves when it is full or its oldest item has
 * waited for so long.
 */
export class Batcher<Item> {
  readonly #options: BatcherOptions<Item>
  readonly #maxItems: number
  readonly #lingerMs: number
  readonly #pending: PendingItem<Item>[] = []
  /** how many of the pending items need not wait for a full batch, from the oldest on */
  #due = 0
  #inFlight = 0
  #isScheduled = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: BatcherOptions<Item>) {
    this.#options = options
    this.#maxItems = options.maxItems ?? Number.POSITIVE_INFINITY
    this.#lingerMs = options.lingerMs ?? 0
  }

  /** @returns when the batch with this item was sent. @throws what `send` reports for the item, or throws */
  add(item: Item): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ item, resolve, reject })
      if (this.#lingerMs > 0) this.#timer ??= setTimeout(() => this.#onLingerOver(), this.#lingerMs)
      this.#schedule()
    })
  }

  /** A microtask later, so that items added together leave together. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#dispatch()
    })
  }

  /** The timer was started by an item that may have left since: then it is early for the others, never late. */
  #onLingerOver(): void {
    this.#timer = undefined
    this.#due = this.#pending.length
    this.#dispatch()
  }

  #dispatch(): void {
    while (this.#inFlight < this.#options.maxInFlight && this.#hasBatch()) void this.#sendNext()
  }

  #hasBatch(): boolean {
    if (this.#pending.length === 0) return false
    return this.#lingerMs === 0 || this.#due > 0 || this.#pending.length >= this.#maxItems
  }

  async #sendNext(): Promise<void> {
    const batch = this.#pending.splice(0, this.#maxItems)
    this.#due = Math.max(0, this.#due - batch.length)
    this.#inFlight++
    await this.#send(batch)
    this.#inFlight--
    this.#dispatch()
  }

  async #send(batch: PendingItem<Item>[]): Promise<void> {
    try {
      const failures = await this.#options.send(batch.map(({ item }) => item))
      for (const [index, { resolve, reject }] of batch.entries()) {
        const failure = failures?.get(index)
        if (failure) reject(failure)
        else resolve()
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }
}
