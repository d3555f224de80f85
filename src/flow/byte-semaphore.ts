import { ShutdownError, TimeoutError } from '../host/shutdown.ts'

interface Waiter {
  readonly bytes: number
  readonly grant: () => void
}

/**
 * Bounds the bytes of images that are in memory at once. Requests are granted first come, first served: a large
 * image is never overtaken for ever by small ones.
 */
export class ByteSemaphore {
  readonly #capacityBytes: number
  #availableBytes: number
  readonly #waiting: Waiter[] = []

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
    this.#availableBytes = capacityBytes
  }

  /**
   * @param bytes more than the capacity counts as the capacity, so that any image is granted when it is alone
   * @returns the function that releases them; further calls of it have no effect
   * @throws {ShutdownError} when the signal aborts first
   * @throws {TimeoutError} when that is the signal's reason
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<() => void> {
    const granted = Math.min(bytes, this.#capacityBytes)
    await this.#wait(granted, signal)
    let isHeld = true
    return () => {
      if (!isHeld) return
      isHeld = false
      this.#availableBytes += granted
      this.#grantNext()
    }
  }

  #wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(abortError(signal))
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(abortError(signal))
        // It may have been a large request that held smaller ones back.
        this.#grantNext()
      }
      const waiter = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
      this.#grantNext()
    })
  }

  #grantNext(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#availableBytes; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#availableBytes -= next.bytes
      next.grant()
    }
  }
}

/** A deadline's signal aborts with a TimeoutError; that must not be taken for a shutdown. */
function abortError(signal: AbortSignal): Error {
  return signal.reason instanceof TimeoutError ? signal.reason : new ShutdownError()
}
