/** At the start, and so many more with each answer to a limit that was reached. */
const usual = { first: 16, growth: 2 }
/** The same after a crash. It may come again, and all that is in flight then is paid for twice. */
const careful = { first: 6, growth: 0.125 }
const highestLimit = 1000
/** So few calls at a time do not slow a service down. */
const noBurden = 8
/** Answers in one reading of the latency. */
const answersPerReading = 12
/** So much slower than when it was unburdened, and the service is only queueing what it gets. */
const slowdownTolerated = 2
/** … but not while it answers within this: with a long-tailed latency a dozen answers often have twice the usual median. */
const tolerableMs = 3000

/**
 * How many calls may be under way at once. At a steady rate that is rate × latency; the rate is the pace's
 * business, so the limit grows freely (threefold with each latency) while it is what holds calls back and the
 * service answers as fast as it did with few calls. A service that gets slower instead is queueing: more in
 * flight would only wait longer there and run into timeouts, so the limit shrinks towards where that began.
 */
export class InFlightLimit {
  readonly #growth: number
  #limit: number
  #inFlight = 0
  #wasFull = false
  #reading: number[] = []
  #unburdenedMs = Number.POSITIVE_INFINITY
  #slow = false

  /** @param isCareful after a crash: begins with few, and doubles within some latencies only */
  constructor({ isCareful = false } = {}) {
    const { first, growth } = isCareful ? careful : usual
    this.#limit = first
    this.#growth = growth
  }

  get limit(): number {
    return Math.floor(this.#limit)
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get hasRoom(): boolean {
    return this.#inFlight < this.limit
  }

  started(): void {
    this.#inFlight++
    if (!this.hasRoom) this.#wasFull = true
  }

  /** @param latencyMs until the answer; a call that timed out counts with its whole time, a throttled one as undefined */
  ended(latencyMs: number | undefined): void {
    this.#inFlight--
    if (latencyMs === undefined) return
    this.#reading.push(latencyMs)
    if (this.#reading.length >= answersPerReading) this.#read()
    if (this.#wasFull && !this.#slow) this.#limit = Math.min(highestLimit, this.#limit + this.#growth)
  }

  #read(): void {
    const median = this.#reading.sort((a, b) => a - b)[answersPerReading >> 1] ?? 0
    this.#reading = []
    // What was fast once may have become slower for good: what it takes with few calls is what it takes.
    this.#unburdenedMs = this.#inFlight <= noBurden ? median : Math.min(median, this.#unburdenedMs)
    this.#slow = median > Math.max(tolerableMs, slowdownTolerated * this.#unburdenedMs)
    if (this.#slow) this.#limit = Math.max(noBurden, this.#limit * 0.8)
    this.#wasFull = !this.hasRoom
  }
}
