import { credentialsAdvice } from '../host/credentials-advice.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { ShutdownError, sleep } from '../host/shutdown.ts'
import { Failure, type FailureKind } from './failure.ts'
import type { OutageLog } from './outage-log.ts'

const firstPauseMs = 200
const maxPauseMs = 15_000
/** What the time between two failures counts for, however long it seems to have been. */
const maxAttemptMs = 300_000

/**
 * How a worker treats failures that retrying alone may not cure. Times are milliseconds for which the same kind of
 * failure must last before the worker ends; `Infinity` = wait until the condition goes away.
 */
export interface RetryPolicy {
  /** outages, timeouts, throttling and faults of this host → exit 69 */
  readonly unavailableMs: number
  /** a missing permission → exit 77; IAM is eventually consistent, so never at the first answer */
  readonly deniedMs: number
  /** a missing bucket or queue, or settings that cannot work → exit 78 */
  readonly missingMs: number
  /** missing, expired or rejected credentials → exit 77 */
  readonly credentialsMs: number
}

export interface RetryOptions {
  /** what is done, as an infinitive for logs and the final sentence: `find the queue "imgpipe"` */
  readonly what: string
  readonly policy: RetryPolicy
  readonly outages: OutageLog
  /** cancels the waiting between attempts */
  readonly signal: AbortSignal
  /** called before each attempt, so that a waiting loop still pings the watchdog */
  readonly onAttempt?: (() => void) | undefined
}

/** @returns how long to wait before attempt `failures + 1`: doubling from 0.2 s to 15 s, jittered in its upper half */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const max = Math.min(maxPauseMs, firstPauseMs * 2 ** Math.min(failures, 10))
  return max / 2 + (random() * max) / 2
}

/**
 * Repeats `attempt` until it succeeds, through throttling, outages and expired credentials. It is made once in any case:
 * a shutdown cancels waiting, not the work that is left to finish.
 *
 * @throws {ImgpipeError} when the policy says that waiting is over
 * @throws {ShutdownError} when the signal aborts first
 * @throws whatever is not a `Failure`, and failures of kind `subject`
 */
export async function retryUntilSuccess<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const clock = new TroubleClock()
  for (let failures = 0; ; failures++) {
    options.onAttempt?.()
    const startedAt = performance.now()
    try {
      const result = await attempt()
      options.outages.succeeded(options.what, { atOnce: true })
      return result
    } catch (error) {
      if (!(error instanceof Failure) || error.kind === 'subject') throw error
      const sinceMs = performance.now() - startedAt
      throwIfOver(error, clock.failed(error.kind, performance.now(), sinceMs), options)
      if (options.signal.aborted) throw new ShutdownError()
      options.outages.report(options.what, error, { sinceMs })
    }
    await sleep(backoffMs(failures), options.signal)
    if (options.signal.aborted) throw new ShutdownError()
  }
}

/** Measures for how long failures of one kind have lasted: another kind of trouble starts anew. */
export class TroubleClock {
  #trouble: Trouble | undefined
  #lastedMs = 0
  #lastAt = 0

  /** @returns for how many ms this kind of trouble has lasted, the failed attempt included */
  failed(kind: FailureKind, now: number, attemptMs: number): number {
    const trouble = troubleOf(kind)
    if (trouble !== this.#trouble) {
      this.#trouble = trouble
      this.#lastedMs = 0
      this.#lastAt = now - attemptMs
    }
    // A process that was stopped for hours has not tried for so long.
    this.#lastedMs += Math.min(now - this.#lastAt, maxAttemptMs)
    this.#lastAt = now
    return this.#lastedMs
  }

  succeeded(): void {
    this.#trouble = undefined
  }
}

type Trouble = 'unavailable' | 'denied' | 'missing' | 'credentials'

function troubleOf(kind: FailureKind): Trouble {
  switch (kind) {
    case 'denied':
    case 'credentials':
      return kind
    case 'missing':
    case 'settings':
      return 'missing'
    case 'throttled':
    case 'transient':
    case 'timeout':
    case 'host':
    case 'unreadable':
    case 'subject':
      return 'unavailable'
  }
}

/** @throws {ImgpipeError} when trouble of this kind has lasted for longer than the policy waits */
export function throwIfOver(
  failure: Failure,
  lastedMs: number,
  { what, policy }: { what: string; policy: RetryPolicy },
): void {
  const trouble = troubleOf(failure.kind)
  if (lastedMs < policy[`${trouble}Ms`]) return
  const { message: reason } = failure
  const cause = { cause: failure }
  switch (trouble) {
    case 'denied':
      throw new ImgpipeError(
        'permission',
        `Cannot ${what}: ${reason}. Grant the missing permission and start again; no progress was lost.`,
        cause,
      )
    case 'credentials': {
      const advice = credentialsAdvice()
      const remedy = `Provide valid credentials${advice === undefined ? '' : ` (${advice})`} and start again`
      const sentences = `Cannot ${what}: ${reason}. ${remedy}; no progress was lost.`
      throw new ImgpipeError('permission', sentences, cause)
    }
    case 'missing':
      throw new ImgpipeError(
        'settings',
        `Cannot ${what}: ${reason}. Correct the settings or create it, then start again; no progress was lost.`,
        cause,
      )
    case 'unavailable':
      throw new ImgpipeError(
        'unavailable',
        `Cannot ${what} for ${duration(lastedMs)}: ${reason}. The service or network is unavailable. Start again later; no progress was lost.`,
        cause,
      )
  }
}

function duration(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} minutes`
}

/** An entry of a batch that the service did not accept, although it accepted the request. */
export interface RejectedEntry {
  /** position in the batch */
  readonly index: number
  readonly reason: string
}

/** Repeats a batch request with the entries that were rejected until none is left. */
export async function retryBatchUntilDone<Item>(
  items: readonly Item[],
  attempt: (items: readonly Item[]) => Promise<readonly RejectedEntry[]>,
  options: RetryOptions,
): Promise<undefined> {
  let rest = items
  await retryUntilSuccess(async () => {
    const rejected = await attempt(rest)
    rest = rejected.flatMap(({ index }) => rest[index] ?? [])
    const [first] = rejected
    if (first) {
      const message = `${rejected.length} of a batch were not accepted: ${first.reason}`
      throw new Failure('transient', 'batch', message)
    }
  }, options)
}
