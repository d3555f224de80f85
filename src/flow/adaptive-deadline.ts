const baseMs = 60_000
/** The first guess of what a call gets of the line: 0.8 Mbit/s. */
const initialBytesPerMs = 100
/** 16 kbit/s: slower lines cannot be used. No transfer has a shorter deadline once it has timed out often enough. */
export const slowestBytesPerMs = 2
/** A call may be so much slower than those before it. */
const maxSlowdown = 4
const timeoutFactor = 4
/** Smaller calls say nothing about the line. */
const minMeasuredBytes = 100_000

/**
 * How long a call may take: a minute for the service, and for its body as long as the line needs by what it has carried
 * before. Silence during an upload cannot be measured instead: the kernel's buffer, or a proxy's, takes megabytes at once
 * and is then silent until they have drained. After a timeout the line is taken to be four times slower, so that on a very slow one
 * the next attempts succeed: once for all calls that were under way together, because a service that is silent swallows all of
 * them, and says nothing about the line.
 */
export class AdaptiveDeadline {
  #bytesPerMs = initialBytesPerMs
  #slowedAt = Number.NEGATIVE_INFINITY

  /** @param bytes size of the request body */
  deadlineMs(bytes: number): number {
    return baseMs + bytes / this.#bytesPerMs
  }

  answered(bytes: number, ms: number): void {
    if (bytes < minMeasuredBytes) return
    const lowest = bytes / Math.max(1, ms) / maxSlowdown
    // Slower lines count at once, faster ones little by little: a deadline that is too long costs less than one too short.
    this.#bytesPerMs = Math.max(slowestBytesPerMs, Math.min(lowest, this.#bytesPerMs * 1.5))
  }

  /** @param startedAt when the call was sent. @param now both in monotonic ms */
  timedOut(startedAt: number, now: number): void {
    if (startedAt < this.#slowedAt) return
    this.#slowedAt = now
    this.#bytesPerMs = Math.max(slowestBytesPerMs, this.#bytesPerMs / timeoutFactor)
  }
}
