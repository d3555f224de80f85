import { setTimeout as delay } from 'node:timers/promises'

/** Two stages of stopping: `soft` ends waiting and takes no new work, `hard` also cuts what is under way. */
export interface StopSignals {
  readonly soft: AbortSignal
  readonly hard: AbortSignal
  /** stops softly, as the first signal does */
  begin(): void
}

/** From the first signal until work in hand is cut off; the units' TimeoutStopSec is above it. */
const graceMilliseconds = 20_000

/**
 * SIGTERM or SIGINT stops softly and after 20 seconds hard; a second signal stops hard at once.
 * Nothing is ever lost by a hard stop: what is not on disk comes again.
 */
export function stopOnSignals(): StopSignals {
  const soft = new AbortController()
  const hard = new AbortController()
  const begin = () => {
    if (!soft.signal.aborted) setTimeout(() => hard.abort(), graceMilliseconds).unref()
    soft.abort()
  }
  const onSignal = () => (soft.signal.aborted ? hard.abort() : begin())
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  return { soft: soft.signal, hard: hard.signal, begin }
}

/** Waits; ends early, without an error, when the signal aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => undefined)
}

/** Does work that is aborted when it takes too long or when `parent` aborts, and leaves nothing hanging on `parent`. */
export async function withTimeout<T>(
  milliseconds: number,
  parent: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort()
  if (parent.aborted) abort()
  parent.addEventListener('abort', abort)
  const timer = setTimeout(abort, milliseconds)
  try {
    return await work(controller.signal)
  } finally {
    clearTimeout(timer)
    parent.removeEventListener('abort', abort)
  }
}
