import { QuotaSearch } from './pace-search.ts'

export interface PaceOptions {
  /** Calls per second never to be exceeded; 0 = find the quota. */
  readonly maxRequestsPerSecond: number
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
/** The same at a set rate, where none may be refused: seldom calls are never moved together … */
const seldomMs = 100
const seldomShare = 0.995
/** … and with frequent ones the rate is lower by as much as a call may be late, so that no second holds one too many. */
const frequentShare = 0.99
const frequentCatchUpMs = 7
/** Later than this, and it was not the pace that held the call back. */
const lateMs = 25

/**
 * Spaces the calls of one Rekognition operation evenly, at a set rate or at the highest that the service admits.
 * Pure: the caller waits for `waitMs`, then calls `start()` and begins the call; nothing is reserved ahead.
 */
export class Pace {
  readonly #now: () => number
  readonly #fixedRate: number
  readonly #search: QuotaSearch | undefined
  #sequence = 0
  /** When the last call was to start, by the pace. */
  #lastSlot = Number.NEGATIVE_INFINITY

  constructor({ maxRequestsPerSecond, now }: PaceOptions) {
    this.#now = now
    this.#fixedRate = maxRequestsPerSecond * (isSeldom(maxRequestsPerSecond) ? seldomShare : frequentShare)
    this.#search = maxRequestsPerSecond > 0 ? undefined : new QuotaSearch(now)
  }

  get ratePerSecond(): number {
    return this.#search?.rate ?? this.#fixedRate
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
    this.#sequence += 1
    const isPaced = now - due <= lateMs + 1000 / this.ratePerSecond
    this.#search?.started(this.#sequence, isPaced)
    this.#lastSlot = this.#sequence === 1 ? now : Math.max(due, now - this.#catchUpMs(interval))
    return { sequence: this.#sequence, startedAt: now, rate: this.ratePerSecond }
  }

  /** The service accepted the call (also when it refused the picture itself). */
  succeeded(_ticket: Ticket): void {
    this.#search?.succeeded()
  }

  /** The service refused the call because there were too many. */
  throttled(ticket: Ticket): void {
    this.#search?.throttled(ticket)
  }

  get #interval(): number {
    return Math.max(1000 / this.ratePerSecond, this.#search?.leastIntervalMs ?? 0)
  }

  get #due(): number {
    return Math.max(this.#lastSlot + this.#interval, this.#search?.pausedUntil ?? 0)
  }

  #catchUpMs(intervalMs: number): number {
    if (this.#search) return Math.min(searchCatchUpMs, searchCatchUpByInterval / intervalMs)
    return isSeldom(this.#fixedRate) ? 0 : frequentCatchUpMs
  }
}

function isSeldom(callsPerSecond: number): boolean {
  return callsPerSecond <= 1000 / seldomMs
}
