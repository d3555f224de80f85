import { vi } from 'vitest'
import { type Event, EventQueue } from './event-queue.ts'

/**
 * Simulated time for real asynchronous code: `performance.now`, `setTimeout` and `clearTimeout` are the simulation's
 * while it runs, and time passes only when no promise can make progress.
 */
export class VirtualTime {
  readonly #events = new EventQueue()
  readonly #timerLatenessMs: () => number
  #nowMs = 0

  /** @param timerLatenessMs how late a timer fires, drawn for each */
  constructor(timerLatenessMs: () => number) {
    this.#timerLatenessMs = timerLatenessMs
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Does something at a time in milliseconds, with no lateness. */
  at(ms: number, action: () => void): void {
    this.#events.add(Math.max(ms, this.#nowMs), action)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.at(this.#nowMs + ms, resolve))
  }

  /** Lets time pass until `work` has ended. @throws when nothing is left that could end it */
  async run<T>(work: () => Promise<T>): Promise<T> {
    vi.stubGlobal('performance', { now: () => this.#nowMs })
    vi.stubGlobal('setTimeout', (action: () => void, ms: number) => this.#setTimeout(action, ms))
    vi.stubGlobal('clearTimeout', (timer?: Event) => {
      if (timer) timer.isCancelled = true
    })
    try {
      let hasEnded = false
      const result = work().finally(() => {
        hasEnded = true
      })
      result.catch(() => undefined)
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve))
        if (hasEnded) return await result
        this.#advance()
      }
    } finally {
      vi.unstubAllGlobals()
    }
  }

  #advance(): void {
    const event = this.#events.next()
    if (!event) throw new Error('the simulated code waits for something that never happens')
    this.#nowMs = event.at
    event.action()
  }

  /** Node counts timers in whole milliseconds. */
  #setTimeout(action: () => void, ms: number): Event {
    const delayMs = Math.max(1, Math.trunc(ms)) + this.#timerLatenessMs()
    return this.#events.add(this.#nowMs + delayMs, action)
  }
}
