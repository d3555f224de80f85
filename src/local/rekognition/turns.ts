/**
 * Lets so many tasks run at a time, in the order of their coming. A task whose signal is aborted while it waits
 * is dropped: a client that has gone must not delay those who are still there.
 */
export class Turns {
  readonly #limit: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws the signal's reason when it is aborted before the task's turn, and whatever the task throws */
  async run<Result>(signal: AbortSignal, task: () => Promise<Result>): Promise<Result> {
    await this.#turn(signal)
    try {
      return await task()
    } finally {
      this.#running -= 1
      this.#startNext()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const start = () => {
        signal.removeEventListener('abort', leave)
        this.#running += 1
        resolve()
      }
      const leave = () => {
        this.#waiting.delete(start)
        reject(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
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
