/**
 * Limits the number of concurrent tasks; waiting tasks start in FIFO order. A task whose signal is aborted while it
 * waits is dropped: a disconnected client must not delay the others.
 */
export class Semaphore {
  readonly #limit: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws the signal's reason when it is aborted before the task starts, and whatever the task throws */
  async run<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    await this.#acquire(signal)
    try {
      return await task()
    } finally {
      this.#running -= 1
      this.#startNext()
    }
  }

  #acquire(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const start = () => {
        signal.removeEventListener('abort', cancel)
        this.#running += 1
        resolve()
      }
      const cancel = () => {
        this.#waiting.delete(start)
        reject(signal.reason)
      }
      signal.addEventListener('abort', cancel, { once: true })
      this.#waiting.add(start)
      this.#startNext()
    })
  }

  #startNext(): void {
    if (this.#running >= this.#limit) return
    const [next] = this.#waiting
    if (next === undefined) return
    this.#waiting.delete(next)
    next()
  }
}
