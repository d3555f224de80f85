const firstLimit = 16
const highestLimit = 1000
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
  #limit = firstLimit
  #inFlight = 0
  #wasFull = false
  #reading: number[] = []
  #unburdenedMs = Number.POSITIVE_INFINITY
  #slow = false

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
    if (this.#wasFull && !this.#slow) this.#limit = Math.min(highestLimit, this.#limit + 2)
  }

  #read(): void {
    const median = this.#reading.sort((a, b) => a - b)[answersPerReading >> 1] ?? 0
    this.#reading = []
    // What was fast once may have become slower for good: the memory of it fades by 2 % a reading.
    this.#unburdenedMs = Math.min(median, this.#unburdenedMs * 1.02)
    this.#slow = median > Math.max(tolerableMs, slowdownTolerated * this.#unburdenedMs)
    if (this.#slow) this.#limit = Math.max(2, this.#limit * 0.8)
    this.#wasFull = !this.hasRoom
  }
}
