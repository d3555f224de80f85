import { type StopSignals, withTimeout } from '../daemon/stop-signal.ts'
import { Fault, RecognitionFault, toFault } from './errors.ts'
import { InFlightLimit } from './in-flight.ts'
import { Pace, type Ticket } from './pace.ts'
import { Stopped } from './retry.ts'

const shortestTimeoutMs = 20_000
const longestTimeoutMs = 60_000
/** A call is given up after so many times the usual latency. */
const timeoutLatencies = 8

export interface PacedCallsOptions {
  /** 0 = find the quota */
  readonly maxRequestsPerSecond: number
  /** after a crash: few calls at a time at first */
  readonly isCareful?: boolean
  readonly stop: StopSignals
}

/**
 * One Rekognition operation, called as fast as its quota allows: each call waits for its turn, a throttled one
 * waits for another, and every one ends, at the latest by its timeout.
 */
export class PacedCalls {
  readonly inFlight: InFlightLimit
  readonly #pace: Pace
  readonly #stop: StopSignals
  readonly #waiting: Waiter[] = []
  #timer: NodeJS.Timeout | undefined
  #usualLatencyMs = 2000
  #throttled = 0

  constructor(options: PacedCallsOptions) {
    this.#stop = options.stop
    this.inFlight = new InFlightLimit(options)
    this.#pace = new Pace({ ...options, now: () => performance.now() })
    options.stop.soft.addEventListener('abort', () => this.#turnAway())
  }

  get ratePerSecond(): number {
    return this.#pace.ratePerSecond
  }

  /** Calls that the service refused because there were too many. */
  get throttled(): number {
    return this.#throttled
  }

  /**
   * @throws {Fault} of any kind but throttle
   * @throws {Stopped} when the process stops before it is this call's turn
   */
  async call<T>(send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let isFirst = true; ; isFirst = false) {
      const answer = await this.#once(await this.#turn(isFirst), send)
      if (answer !== 'throttled') return answer.result
    }
  }

  /** Calls go in the order in which they came; one that was throttled goes before those that never were. */
  #turn(isFirst: boolean): Promise<Ticket> {
    return new Promise((resolve, reject) => {
      if (isFirst) this.#waiting.push({ resolve, reject })
      else this.#waiting.unshift({ resolve, reject })
      this.#startWhatMay()
    })
  }

  #startWhatMay(): void {
    if (this.#stop.soft.aborted) this.#turnAway()
    while (this.#waiting.length > 0 && this.inFlight.hasRoom && this.#pace.waitMs <= 0) {
      this.inFlight.started()
      this.#waiting.shift()?.resolve(this.#pace.start())
    }
    if (this.#timer || this.#waiting.length === 0 || !this.inFlight.hasRoom) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#startWhatMay()
    }, this.#pace.waitMs)
  }

  #turnAway(): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Stopped())
  }

  async #once<T>(
    ticket: Ticket,
    send: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ result: T } | 'throttled'> {
    try {
      const result = await withTimeout(this.#timeoutMs(), this.#stop.hard, send)
      this.#answered(ticket)
      return { result }
    } catch (error) {
      const fault = this.#explain(toFault(error))
      if (fault.kind !== 'throttle') {
        this.#answered(ticket, fault)
        throw new RecognitionFault(fault.kind, fault.code, fault.message, fault.cause)
      }
      this.#throttled++
      this.inFlight.ended(undefined)
      this.#pace.throttled(ticket)
      return 'throttled'
    } finally {
      this.#startWhatMay()
    }
  }

  #timeoutMs(): number {
    return Math.min(longestTimeoutMs, Math.max(shortestTimeoutMs, timeoutLatencies * this.#usualLatencyMs))
  }

  /** The service took the call, also when it refused the picture itself; of a broken call only the time counts. */
  #answered(ticket: Ticket, fault?: Fault): void {
    const latencyMs = performance.now() - ticket.startedAt
    this.inFlight.ended(latencyMs)
    this.#usualLatencyMs += (latencyMs - this.#usualLatencyMs) * 0.1
    if (!fault || fault.kind === 'picture' || fault.kind === 'object') this.#pace.succeeded(ticket)
  }

  /** A call that our own timeout cut has not been stopped: the service did not answer. */
  #explain(fault: Fault): Fault {
    if (fault.kind !== 'stopped' || this.#stop.hard.aborted) return fault
    return new Fault('transient', 'Timeout', 'the service did not answer in time', fault)
  }
}

interface Waiter {
  readonly resolve: (ticket: Ticket) => void
  readonly reject: (error: Stopped) => void
}
