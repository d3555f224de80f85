import type { Ticket } from './pace.ts'
import { type Estimate, estimateQuota, fallenQuota, firstGuess } from './pace-estimate.ts'
import { type Quiet, riseOver } from './pace-rise.ts'
import { ThrottleRecord } from './pace-throttles.ts'

const firstRate = { usual: 50, careful: 20 }
const lowestRate = 0.5
const highestRate = 2000
/** The ramp doubles in so many ms; after a crash, which may come again, no more is begun than what is soon done. */
const doublingMs = { usual: 240, careful: 1000 }
/** So many answers show more than the smallest quota's bucket: the ramp doubles once more, at once. */
const answersToJump = 8
/** In the ramp so many calls may go before the first answer, and so many more with each answer … */
const unansweredFirst = 6
const startsPerAnswer = 8
/** … and beyond that one in so many ms. */
const holdMs = 131
/** A rise goes step by step: so much with one call at most. */
const mostStep = 1.2
/** After throttled calls in a row: a pause that doubles, up to the first; beyond so many in a row up to the second. */
const pauseMs = { most: 306, rowOf: 6, mostOfAll: 5000 }

/**
 * Finds the highest rate that a service admits, from its answers alone; made for token buckets of any size and
 * for limits per second.
 *
 * Ramp: the rate doubles every quarter of a second, and once with the first answers, up to the first throttled call.
 * Search: what was admitted between two throttled calls tells the quota (pace-estimate.ts), with a doubt of how much
 * higher it may be. The rate rises from the estimate, slowly through the doubt and then faster, the longer nothing
 * is throttled (pace-rise.ts); the next throttled call makes the next estimate. So the rate stays within a percent
 * or two of the quota and throttles about one call in a hundred, and follows a quota that rises or falls.
 *
 * Answers come late. An answer to a call that was started before the last estimate was made changes nothing.
 */
export class QuotaSearch {
  readonly #now: () => number
  readonly #throttles = new ThrottleRecord()
  /** When the calls of the last second were started. */
  readonly #lastSecond: number[] = []
  readonly #doublingMs: number
  #rate: number
  #isRamping = true
  #estimate: Estimate = { rate: 1, doubt: 1, isFirst: true, usual: 0, throttledAt: 0 }
  #estimatedAt = Number.NEGATIVE_INFINITY
  #quiet: Quiet = { calls: 0, ms: 0 }
  #started = 0
  #answered = 0
  #throttled = 0
  /** The same of the last few hundred. */
  #recentCalls = 0
  #recentThrottled = 0
  #throttledInRow = 0
  #lastThrottled = 0
  /** How long the service takes to say that a call is throttled (a running mean). */
  #throttleMs = 0
  #firstStartAt = 0
  #lastStartAt = 0
  #pausedUntil = 0

  constructor(now: () => number, isCareful: boolean) {
    this.#now = now
    this.#rate = isCareful ? firstRate.careful : firstRate.usual
    this.#doublingMs = isCareful ? doublingMs.careful : doublingMs.usual
  }

  get rate(): number {
    return this.#rate
  }

  get pausedUntil(): number {
    return this.#pausedUntil
  }

  get #throttledShare(): number {
    return this.#recentThrottled / this.#recentCalls
  }

  /** The ramp goes no further ahead of the answers than this. */
  get leastIntervalMs(): number {
    const mayStart = unansweredFirst + startsPerAnswer * this.#answered
    return this.#isRamping && this.#started >= mayStart ? holdMs : 0
  }

  /** @param isPaced false when the call came late for want of work: then a missing throttle says nothing */
  started(sequence: number, isPaced: boolean): void {
    const now = this.#now()
    this.#started = sequence
    this.#recentCalls += 1
    if (sequence === 1) this.#firstStartAt = now
    else if (isPaced) this.#rise(Math.min(now - this.#lastStartAt, 1000 / this.#rate + 15))
    this.#lastStartAt = now
    this.#lastSecond.push(now)
    while ((this.#lastSecond[0] ?? now) < now - 1000) this.#lastSecond.shift()
  }

  succeeded(): void {
    this.#answered += 1
    if (this.#isRamping && this.#answered === answersToJump) this.#rate *= 2
  }

  throttled(ticket: Ticket): void {
    const now = this.#now()
    const tookMs = now - ticket.startedAt
    this.#throttled += 1
    this.#recentThrottled += 1
    if (this.#recentCalls > 400) {
      this.#recentCalls /= 2
      this.#recentThrottled /= 2
    }
    this.#throttleMs += (tookMs - this.#throttleMs) * (this.#throttled === 1 ? 1 : 0.2)
    this.#throttles.add(ticket)
    if (ticket.startedAt <= this.#estimatedAt) return
    this.#pauseIfInRow(ticket)
    if (this.#isRamping) this.#endRamp(ticket)
    else this.#estimateAgain(ticket)
  }

  #rise(elapsedMs: number): void {
    if (this.#isRamping) {
      this.#rate = Math.min(highestRate, this.#rate * 2 ** (elapsedMs / this.#doublingMs))
      return
    }
    this.#quiet = { calls: this.#quiet.calls + 1, ms: this.#quiet.ms + elapsedMs }
    const risen = riseOver(this.#estimate, this.#quiet, {
      rate: this.#rate,
      throttleMs: this.#throttleMs,
      throttledShare: this.#throttledShare,
    })
    this.#rate = Math.min(highestRate, Math.max(this.#rate, Math.min(risen, this.#rate * mostStep)))
  }

  /** A bucket or window that is used up throttles all: then calls wait a little, and the estimate stays. */
  #pauseIfInRow(ticket: Ticket): void {
    const intervalMs = 1000 / this.#rate
    const isInRow =
      ticket.sequence === this.#lastThrottled + 1 || ticket.startedAt <= this.#estimatedAt + 1.3 * intervalMs
    this.#throttledInRow = isInRow ? this.#throttledInRow + 1 : 0
    this.#lastThrottled = ticket.sequence
    const { most, rowOf, mostOfAll } = pauseMs
    const longest = Math.min(mostOfAll, most * 2 ** Math.max(0, this.#throttledInRow - rowOf))
    this.#pausedUntil = this.#now() + Math.min(longest, (2 ** this.#throttledInRow - 1) * intervalMs)
  }

  #endRamp(ticket: Ticket): void {
    this.#isRamping = false
    const seconds = (ticket.startedAt - this.#firstStartAt) / 1000
    this.#restartFrom(firstGuess(ticket.sequence - this.#throttled, seconds, ticket.rate))
  }

  #estimateAgain(ticket: Ticket): void {
    const admittedInLastSecond = this.#lastSecond.length - this.#throttles.since(this.#now() - 1000)
    const evidence = { ticket, rate: this.#rate, admittedInLastSecond, throttledShare: this.#throttledShare }
    const fallen = fallenQuota(this.#throttles, evidence)
    if (fallen) this.#restartFrom({ ...this.#estimate, ...fallen, isFirst: false, usual: 0 })
    else if (this.#throttledInRow > 0) this.#restartFrom({ ...this.#estimate, rate: this.#rate })
    else this.#restartFrom(estimateQuota(this.#throttles, evidence, this.#estimate))
  }

  #restartFrom(estimate: Estimate): void {
    this.#rate = Math.max(lowestRate, estimate.rate)
    this.#estimate = { ...estimate, rate: this.#rate }
    this.#estimatedAt = this.#now()
    this.#quiet = { calls: 0, ms: 0 }
  }
}
