import type { Permit } from './permit.ts'

/** Evenly spaced calls go slightly below the maximum, so that jitter on the way does not exceed it. */
const targetShare = 0.995
/** Calls that start late are caught up by this much at most … */
const maxCatchUpMs = 100
/** … but not at low rates, where the service's token bucket may hold a single call only. */
const lowRatePerSecond = 10
/** No window of a second holds more calls than the maximum, with 4 ms of allowance for network jitter. */
const windowMs = 1004

/** A rate limiter for a known maximum: even spacing, and no second with more calls than the maximum. */
export class FixedRate {
  readonly ratePerSecond: number
  readonly #now: () => number
  readonly #intervalMs: number
  readonly #catchUpMs: number
  readonly #maxPerWindow: number
  /** start times of the last `maxPerWindow` calls */
  readonly #starts: number[] = []
  #sequence = 0
  /** when the last call was due */
  #lastSlotAt = Number.NEGATIVE_INFINITY

  /** @param options.maxRequestsPerSecond more than 0 */
  constructor({ maxRequestsPerSecond, now }: { maxRequestsPerSecond: number; now: () => number }) {
    this.ratePerSecond = maxRequestsPerSecond * targetShare
    this.#now = now
    this.#intervalMs = 1000 / this.ratePerSecond
    this.#catchUpMs = maxRequestsPerSecond <= lowRatePerSecond ? 0 : maxCatchUpMs
    this.#maxPerWindow = Math.max(1, Math.floor(maxRequestsPerSecond))
  }

  get waitMs(): number {
    const dueAt = Math.max(this.#lastSlotAt + this.#intervalMs, this.#windowOpensAt)
    return Math.max(0, dueAt - this.#now())
  }

  acquire(): Permit {
    const now = this.#now()
    this.#sequence += 1
    const slotAt = this.#sequence === 1 ? now : this.#lastSlotAt + this.#intervalMs
    this.#lastSlotAt = Math.max(slotAt, now - this.#catchUpMs)
    this.#starts.push(now)
    if (this.#starts.length > this.#maxPerWindow) this.#starts.shift()
    return { sequence: this.#sequence, startedAt: now, ratePerSecond: this.ratePerSecond }
  }

  /** The rate is set: no outcome changes it. */
  succeeded(_permit: Permit): void {}

  throttled(_permit: Permit): void {}

  get #windowOpensAt(): number {
    const earliest = this.#starts[0]
    const isFull = earliest !== undefined && this.#starts.length >= this.#maxPerWindow
    return isFull && this.ratePerSecond >= 1 ? earliest + windowMs : Number.NEGATIVE_INFINITY
  }
}
