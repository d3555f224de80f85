import { setTimeout as delay } from 'node:timers/promises'

/** Work ended early because the process was asked to stop; never an outcome of an image. */
export class ShutdownError extends Error {
  constructor() {
    super('shutting down')
    this.name = 'ShutdownError'
  }
}

/** A deadline passed, or a connection was silent for too long. It says nothing about a shutdown. */
export class TimeoutError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'TimeoutError'
  }
}

/**
 * Two stages of a shutdown: `graceful` cancels waiting and starts no new work, `forced` also aborts requests in
 * flight. Both abort with a `ShutdownError` as their reason.
 */
export interface ShutdownSignals {
  readonly graceful: AbortSignal
  readonly forced: AbortSignal
  /** Requests a graceful shutdown, as the first SIGTERM does. */
  request(): void
}

/** From the request until requests in flight are aborted; the units' TimeoutStopSec is larger. */
const gracePeriodMs = 20_000

/**
 * SIGTERM or SIGINT starts a graceful shutdown, which is forced after 20 seconds; a second signal forces it at
 * once. Nothing is lost by a forced shutdown: what is not committed is done again.
 */
export function shutdownOnSignals(): ShutdownSignals {
  const graceful = new AbortController()
  const forced = new AbortController()
  const force = () => forced.abort(new ShutdownError())
  const request = () => {
    if (!graceful.signal.aborted) setTimeout(force, gracePeriodMs).unref()
    graceful.abort(new ShutdownError())
  }
  const onSignal = () => (graceful.signal.aborted ? force() : request())
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return { graceful: graceful.signal, forced: forced.signal, request }
}

/** Waits; returns early, without an error, when the signal aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined)
}

/**
 * Runs work with a signal that aborts after `ms` or with `parent`, and leaves no listener on `parent`. It ends when the
 * signal aborts, whether the work heeds the signal or not: nobody waits for ever for a library that lost its request.
 *
 * @throws {ShutdownError} when `parent` aborts first
 * @throws {TimeoutError} at the deadline; otherwise what the work throws
 */
export async function withDeadline<T>(
  ms: number,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const aborted = Promise.withResolvers<never>()
  aborted.promise.catch(() => undefined)
  const abort = (reason: Error) => {
    controller.abort(reason)
    aborted.reject(reason)
  }
  const onParentAbort = () => abort(new ShutdownError())
  if (parent.aborted) onParentAbort()
  parent.addEventListener('abort', onParentAbort)
  const timer = setTimeout(() => abort(new TimeoutError(`no result within ${Math.round(ms / 1000)} s`)), ms)
  try {
    return await Promise.race([work(controller.signal), aborted.promise])
  } catch (error) {
    // The SDK throws an AbortError for either reason: only the signal knows which one it was.
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    clearTimeout(timer)
    parent.removeEventListener('abort', onParentAbort)
  }
}
