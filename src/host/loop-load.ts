import { performance } from 'node:perf_hooks'

/** Shorter spans say more about one callback than about the load. */
const minSpanMs = 100
const saturated = 0.9

/**
 * Watches how busy this process's event loop is. A process without CPU time to spare answers no faster with more
 * requests in flight: they only wait in its own memory.
 *
 * @returns whether the loop was busy for nine tenths of the time since the previous evaluation, at least 100 ms before
 */
export function watchLoopSaturation(): () => boolean {
  let since = performance.now()
  let from = performance.eventLoopUtilization()
  let isSaturated = false
  return () => {
    const now = performance.now()
    if (now - since >= minSpanMs) {
      isSaturated = performance.eventLoopUtilization(from).utilization > saturated
      since = now
      from = performance.eventLoopUtilization()
    }
    return isSaturated
  }
}
