/** Late starts are made up for up to so much … */
const catchUpMs = 100
/** … but never so that a second holds more calls than the rate says, with four ms for the way there. */
const secondMs = 1004
const share = 0.995
/** Seldom calls are not moved together at all: a bucket may hold one only. */
const seldomRate = 10

/** A rate that is set: even spacing a little below it, and in no second more calls than it says. */
export class FixedRate {
  readonly rate: number
  readonly catchUpMs: number
  readonly #mostPerSecond: number
  readonly #lastSecond: number[] = []

  /** @param maxRequestsPerSecond more than 0 */
  constructor(maxRequestsPerSecond: number) {
    const isSeldom = maxRequestsPerSecond <= seldomRate
    this.rate = maxRequestsPerSecond * share
    this.catchUpMs = isSeldom ? 0 : catchUpMs
    this.#mostPerSecond = Math.max(1, Math.floor(maxRequestsPerSecond))
  }

  /** No call may start before this time (ms). */
  get pausedUntil(): number {
    const earliest = this.#lastSecond[0]
    const isFull = earliest !== undefined && this.#lastSecond.length >= this.#mostPerSecond
    return isFull && this.rate >= 1 ? earliest + secondMs : Number.NEGATIVE_INFINITY
  }

  started(now: number): void {
    this.#lastSecond.push(now)
    if (this.#lastSecond.length > this.#mostPerSecond) this.#lastSecond.shift()
  }
}
