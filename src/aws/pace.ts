import { FixedRate } from './pace-fixed.ts'
import { QuotaSearch } from './pace-search.ts'

export interface PaceOptions {
  /** Calls per second never to be exceeded; 0 = find the quota. */
  readonly maxRequestsPerSecond: number
  /** after a crash, which may come again: the search begins gently */
  readonly isCareful?: boolean
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number
}

/** One call that has been started. Its answer is reported with it, so that an old answer is not taken for news. */
export interface Ticket {
  /** 1, 2, 3 … in the order of starting. */
  readonly sequence: number
  /** ms on the pace's clock */
  readonly startedAt: number
  /** Calls per second at that time. */
  readonly rate: number
}

/** Late starts are made up for up to so much, so that timers that are late by some ms do not lower the rate … */
const searchCatchUpMs = 60
/** … and less where calls are seldom (ms × ms of interval): a small bucket would refuse the one that comes early. */
const searchCatchUpByInterval = 500
/** Later than this, and it was not the pace that held the call back. */
const lateMs = 25

/**
 * Spaces the calls of one Rekognition operation evenly, at a set rate or at the highest that the service admits.
 * Pure: the caller waits for `waitMs`, then calls `start()` and begins the call; nothing is reserved ahead.
 */
export class Pace {
  readonly #now: () => number
  readonly #limit: FixedRate | QuotaSearch
  #sequence = 0
  /** When the last call was to start, by the pace. */
  #lastSlot = Number.NEGATIVE_INFINITY

  constructor({ maxRequestsPerSecond, isCareful = false, now }: PaceOptions) {
    this.#now = now
    this.#limit =
      maxRequestsPerSecond > 0 ? new FixedRate(maxRequestsPerSecond) : new QuotaSearch(now, isCareful)
  }

  get ratePerSecond(): number {
    return this.#limit.rate
  }

  /** Milliseconds until the next call may start; 0 = now. It may become less with any answer. */
  get waitMs(): number {
    return Math.max(0, this.#due - this.#now())
  }

  /** Marks a call as started now. */
  start(): Ticket {
    const now = this.#now()
    const due = this.#due
    const interval = this.#interval
    const isPaced = now - due <= lateMs + 1000 / this.ratePerSecond
    this.#sequence += 1
    const slot = this.#limit instanceof QuotaSearch ? due : this.#lastSlot + interval
    if (this.#limit instanceof QuotaSearch) this.#limit.started(this.#sequence, isPaced)
    else this.#limit.started(now)
    this.#lastSlot = this.#sequence === 1 ? now : Math.max(slot, now - this.#catchUpMs(interval))
    return { sequence: this.#sequence, startedAt: now, rate: this.ratePerSecond }
  }

  /** The service accepted the call (also when it refused the picture itself). */
  succeeded(_ticket: Ticket): void {
    if (this.#limit instanceof QuotaSearch) this.#limit.succeeded()
  }

  /** The service refused the call because there were too many. */
  throttled(ticket: Ticket): void {
    if (this.#limit instanceof QuotaSearch) this.#limit.throttled(ticket)
  }

  get #interval(): number {
    const least = this.#limit instanceof QuotaSearch ? this.#limit.leastIntervalMs : 0
    return Math.max(1000 / this.ratePerSecond, least)
  }

  get #due(): number {
    return Math.max(this.#lastSlot + this.#interval, this.#limit.pausedUntil)
  }

  #catchUpMs(intervalMs: number): number {
    if (this.#limit instanceof FixedRate) return this.#limit.catchUpMs
    return Math.min(searchCatchUpMs, searchCatchUpByInterval / intervalMs)
  }
}
