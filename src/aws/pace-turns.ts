import type { Pace, Ticket } from './pace.ts'

interface Waiter {
  start: (ticket: Ticket) => void
  signal: AbortSignal | undefined
}

/**
 * Lets calls wait for their turn, first come, first served: any number of tasks may ask at once.
 * Nothing is reserved ahead, so that a change of the rate holds for the very next call.
 */
export class Turns {
  readonly #pace: Pace
  readonly #waiters: Waiter[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(pace: Pace) {
    this.#pace = pace
  }

  /**
   * Resolves when the call may start, which it must do at once; hand the ticket back to the pace with the answer.
   * @throws the signal's reason when it is aborted first
   */
  next(signal?: AbortSignal): Promise<Ticket> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const waiter: Waiter = { start: resolve, signal }
      const leave = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(signal?.reason)
      }
      waiter.start = (ticket) => {
        signal?.removeEventListener('abort', leave)
        resolve(ticket)
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#waiters.push(waiter)
      this.#serve()
    })
  }

  #serve(): void {
    if (this.#timer) return
    while (this.#waiters.length > 0) {
      const waitMs = this.#pace.waitMs
      if (waitMs > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined
          this.#serve()
        }, waitMs)
        return
      }
      this.#waiters.shift()?.start(this.#pace.start())
    }
  }
}
