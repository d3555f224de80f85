import { ShutdownError, type ShutdownSignals, TimeoutError, withDeadline } from '../host/shutdown.ts'
import { AdaptiveDeadline } from './adaptive-deadline.ts'
import { ConcurrencyLimit, type ConcurrencyLimitOptions } from './concurrency-limit.ts'
import { Failure } from './failure.ts'
import type { Permit } from './permit.ts'
import { createRateLimiter, type RateLimiter } from './rate-limiter.ts'

/** Callers get to see that they are throttled when no call has been answered for this long. */
const maxSilentThrottlingMs = 10_000
/** Node fires timers of more than 24 days at once. */
const maxTimerMs = 60_000

/**
 * - answered: the service accepted the call, even if it refused the image in it
 * - throttled: it rejected the call because of the rate; the call may be sent again
 * - failed: any other failure
 */
export type CallOutcome = 'answered' | 'throttled' | 'failed'

export interface DispatcherOptions extends ConcurrencyLimitOptions {
  /** names the calls in failures: `DetectLabels` */
  readonly operation: string
  /** 0 = find the service's quota */
  readonly maxRequestsPerSecond: number
  /** `ratePerSecond` of an earlier dispatcher, to start from */
  readonly initialRatePerSecond?: number
  readonly shutdown: ShutdownSignals
  /** Called once for each attempt that was sent, except one that a forced shutdown aborted. */
  readonly onOutcome?: (outcome: CallOutcome) => void
}

interface Waiter {
  readonly resolve: (permit: Permit) => void
  readonly reject: (error: ShutdownError) => void
}

/** `latencyMs`: from sending to the answer; undefined when the attempt was never sent */
type Attempt<T> = ({ readonly result: T } | { readonly error: unknown }) & {
  readonly latencyMs: number | undefined
}

/** Surrounds an attempt, once it is admitted, with what has to be done before and after it. */
export type AroundAttempt = <T>(attempt: () => Promise<T>) => Promise<T>

const directly: AroundAttempt = (attempt) => attempt()

/**
 * Sends the calls of one operation of a service, as fast as its quota and its latency allow.
 *
 * A call waits, first come, first served, until the concurrency limit has room and the rate limiter has a permit. It is
 * then in flight until it is answered, fails or reaches its deadline. A throttled call waits again, ahead of those
 * that were never sent. A graceful shutdown rejects the waiting calls; a forced one aborts those in flight.
 */
export class Dispatcher {
  readonly concurrency: ConcurrencyLimit
  readonly #options: DispatcherOptions
  readonly #limiter: RateLimiter
  readonly #deadline = new AdaptiveDeadline()
  readonly #waiting: Waiter[] = []
  /** throttled calls that wait to be sent again */
  readonly #retrying: Waiter[] = []
  #timer: NodeJS.Timeout | undefined
  /** time of the first throttled call since the last answered one */
  #throttledSince: number | undefined

  constructor(options: DispatcherOptions) {
    this.#options = options
    this.concurrency = new ConcurrencyLimit(options)
    this.#limiter = createRateLimiter({ ...options, now: () => performance.now() })
    options.shutdown.graceful.addEventListener('abort', () => this.#rejectWaiting(), { once: true })
  }

  get ratePerSecond(): number {
    return this.#limiter.ratePerSecond
  }

  /**
   * Sends a call when there is room for it, and again while it is throttled.
   *
   * @param bytes size of the request body
   * @param send makes one attempt; throws a `Failure`
   * @param around runs each attempt, whose deadline does not begin before it is called
   * @throws {Failure} of kind `timeout` at the deadline; `throttled` when no call was answered for ten seconds, so that
   *   the caller's backoff applies; else what `send` throws
   * @throws {ShutdownError} when a graceful shutdown begins before the call is sent, or a forced one before it ends
   */
  async call<T>(
    bytes: number,
    send: (signal: AbortSignal) => Promise<T>,
    around: AroundAttempt = directly,
  ): Promise<T> {
    for (let queue = this.#waiting; ; queue = this.#retrying) {
      const permit = await this.#acquire(queue)
      const attempt = await this.#attempt(bytes, send, around)
      this.#record(permit, attempt, bytes)
      // Back into its queue before others are sent.
      if (this.#isRetried(attempt)) continue
      this.#dispatch()
      if ('error' in attempt) throw attempt.error
      return attempt.result
    }
  }

  #acquire(queue: Waiter[]): Promise<Permit> {
    return new Promise((resolve, reject) => {
      queue.push({ resolve, reject })
      this.#dispatch()
    })
  }

  #dispatch(): void {
    if (this.#options.shutdown.graceful.aborted) this.#rejectWaiting()
    clearTimeout(this.#timer)
    while (this.#hasWaiting && this.concurrency.hasRoom) {
      const { waitMs } = this.#limiter
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#dispatch(), Math.min(maxTimerMs, Math.ceil(waitMs)))
        return
      }
      this.concurrency.started()
      const next = this.#retrying.shift() ?? this.#waiting.shift()
      next?.resolve(this.#limiter.acquire())
    }
  }

  get #hasWaiting(): boolean {
    return this.#retrying.length + this.#waiting.length > 0
  }

  #rejectWaiting(): void {
    clearTimeout(this.#timer)
    for (const queue of [this.#retrying, this.#waiting]) {
      for (const { reject } of queue.splice(0)) reject(new ShutdownError())
    }
  }

  async #attempt<T>(
    bytes: number,
    send: (signal: AbortSignal) => Promise<T>,
    around: AroundAttempt,
  ): Promise<Attempt<T>> {
    const { operation, shutdown } = this.#options
    let latencyMs: number | undefined
    const sendWithin = async () => {
      const sentAt = performance.now()
      try {
        return await withDeadline(this.#deadline.deadlineMs(bytes), shutdown.forced, send)
      } finally {
        latencyMs = performance.now() - sentAt
      }
    }
    try {
      return { result: await around(sendWithin), latencyMs }
    } catch (error) {
      if (!(error instanceof TimeoutError)) return { error, latencyMs }
      const failure = new Failure('timeout', operation, `${operation}: ${error.message}`, { cause: error })
      return { error: failure, latencyMs }
    }
  }

  #record(permit: Permit, attempt: Attempt<unknown>, bytes: number): void {
    const { latencyMs } = attempt
    if (latencyMs === undefined) {
      this.concurrency.released()
      return
    }
    const status = statusOf(attempt)
    if (status === 'answered') {
      this.#deadline.answered(bytes, latencyMs)
      this.concurrency.answered(latencyMs)
      this.#limiter.succeeded(permit)
      this.#throttledSince = undefined
    } else if (status === 'timeout') {
      const now = performance.now()
      this.#deadline.timedOut(now - latencyMs, now)
      this.concurrency.timedOut()
    } else {
      // The latency of other failures is not the service's: a refused connection is fast, a stalled proxy slow.
      this.concurrency.released()
    }
    if (status === 'throttled') {
      this.#limiter.throttled(permit)
      this.#throttledSince ??= performance.now()
    }
    if (status !== 'aborted') this.#options.onOutcome?.(status === 'timeout' ? 'failed' : status)
  }

  #isRetried(attempt: Attempt<unknown>): boolean {
    if (statusOf(attempt) !== 'throttled') return false
    return performance.now() - (this.#throttledSince ?? 0) < maxSilentThrottlingMs
  }
}

function statusOf(attempt: Attempt<unknown>): CallOutcome | 'timeout' | 'aborted' {
  if (!('error' in attempt)) return 'answered'
  if (attempt.error instanceof ShutdownError) return 'aborted'
  if (!(attempt.error instanceof Failure)) return 'failed'
  switch (attempt.error.kind) {
    case 'subject':
    case 'unreadable':
      return 'answered'
    case 'throttled':
    case 'timeout':
      return attempt.error.kind
    default:
      return 'failed'
  }
}
