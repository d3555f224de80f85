import { ThrottleRecord } from './pace-throttles.ts'

export interface PaceOptions {
  /** Calls per second never to be exceeded; 0 = find the quota. */
  maxRequestsPerSecond: number
  /** Milliseconds on a clock that never goes back. */
  now: () => number
}

/** One call that has been started. Its answer is reported with it, so that an old answer is not taken for news. */
export interface Ticket {
  /** 1, 2, 3 … in the order of starting. */
  readonly sequence: number
  /** When the call started (ms on the pace's clock). */
  readonly startedAt: number
  /** Calls per second at that time. */
  readonly rate: number
  /** False when the call started late for want of work: its success says nothing about the quota. */
  readonly paced: boolean
}

const floorRate = 0.5
const ceilingRate = 2000
const firstRate = 10
const doublingMs = 200
/** Late starts up to this much are made up for, so that timers that are late by some ms do not lower the rate. */
const catchUpMs = 40
/** The share of calls that may be throttled in the search for a higher quota. */
const probeShare = 0.01

/**
 * Finds Rekognition's quota from the answers alone, and spaces the calls evenly.
 *
 * Ramp: the rate doubles every fifth of a second until the first throttled answer. Steady: between two throttled
 * calls the service has admitted exactly its quota (whether it keeps a bucket or windows), so each throttled answer
 * sets the rate to what was admitted since earlier ones; then the rate grows, the faster the longer nothing is throttled.
 * An answer to a call that was sent before the last cut does not cut again.
 */
export class Pace {
  readonly #fixedRate: number
  readonly #now: () => number
  readonly #throttles = new ThrottleRecord()
  #rate: number
  #ramping: boolean
  #nextAt = Number.NEGATIVE_INFINITY
  #lastStart = Number.NaN
  #sequence = 0
  #cutAt = Number.NEGATIVE_INFINITY
  #base = 0
  #baseline = 4
  #quietCalls = 0
  #latencyMs = 1000
  #throttleMs = 100

  constructor(options: PaceOptions) {
    this.#fixedRate = options.maxRequestsPerSecond
    this.#now = options.now
    this.#ramping = this.#fixedRate === 0
    this.#rate = this.#fixedRate > 0 ? this.#fixedRate * 0.995 : firstRate
  }

  /** Milliseconds until the next call may start; 0 = now. Reserves nothing. */
  get waitMs(): number {
    return Math.max(0, this.#nextAt - this.#now())
  }

  /** Calls that should be in flight at the present rate and latency, with headroom for the slow ones. */
  get concurrency(): number {
    return Math.ceil(16 + 2 * this.#rate * (this.#latencyMs / 1000))
  }

  get ratePerSecond(): number {
    return this.#rate
  }

  /** Marks a call as started now. */
  start(): Ticket {
    const now = this.#now()
    const late = now - this.#nextAt
    const paced = late <= catchUpMs + 1000 / this.#rate
    if (this.#ramping && paced) this.#grow(now)
    const catchUp = this.#fixedRate > 0 ? 5 : catchUpMs
    this.#nextAt = Math.max(this.#nextAt, now - catchUp) + 1000 / this.#rate
    this.#lastStart = now
    this.#sequence += 1
    return { sequence: this.#sequence, startedAt: now, rate: this.#rate, paced }
  }

  /** The service accepted the call (also when it refused the picture itself). */
  succeeded(ticket: Ticket): void {
    const latency = this.#now() - ticket.startedAt
    this.#latencyMs += (latency - this.#latencyMs) * 0.05
    if (this.#fixedRate > 0 || this.#ramping || !ticket.paced || ticket.startedAt <= this.#cutAt) return
    this.#quietCalls += 1
    const creep = 0.5 / this.#baseline ** 2
    const probe = (probeShare * this.#quietCalls - 1) / (this.#base * (this.#throttleMs / 1000))
    this.#rate = Math.min(
      ceilingRate,
      Math.max(this.#rate * (1 + creep), Math.min(this.#base * (1 + probe), this.#rate * 1.05)),
    )
  }

  /** The service refused the call because there were too many. */
  throttled(ticket: Ticket): void {
    this.#throttleMs += (this.#now() - ticket.startedAt - this.#throttleMs) * 0.3
    if (this.#fixedRate > 0) return
    const admitted = this.#throttles.add(ticket)
    if (ticket.startedAt <= this.#cutAt) return
    if (this.#ramping) this.#setRate(ticket.rate * 0.5, 4)
    else if (admitted) this.#setRate(Math.min(this.#rate, admitted.rate * 1.005), admitted.calls)
    else this.#setRate(this.#rate * 0.97, this.#baseline)
    this.#ramping = false
  }

  #grow(now: number): void {
    const elapsed = Math.min(now - this.#lastStart, 1000 / this.#rate)
    if (elapsed > 0) this.#rate = Math.min(ceilingRate, this.#rate * 2 ** (elapsed / doublingMs))
  }

  #setRate(rate: number, baseline: number): void {
    this.#rate = Math.max(floorRate, rate)
    this.#base = this.#rate
    this.#baseline = Math.min(100, Math.max(4, baseline))
    this.#quietCalls = 0
    this.#cutAt = this.#now()
    this.#nextAt = Math.max(this.#nextAt, this.#cutAt)
  }
}
