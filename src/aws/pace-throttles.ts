import type { Ticket } from './pace.ts'

/** What the service admitted between two throttled calls. */
export interface Admitted {
  calls: number
  /** Calls per second. */
  rate: number
}

const kept = 200
const horizonMs = 900

/**
 * The throttled calls in the order they were started.
 * Between the i-th and the j-th of them the service admitted all the others: (sequence j − sequence i) − (j − i) calls.
 */
export class ThrottleRecord {
  #calls: Ticket[] = []

  /** Records a throttled call; answers the lowest rate admitted between an earlier one and the newest. */
  add(ticket: Ticket): Admitted | undefined {
    const after = this.#calls.findLastIndex((call) => call.sequence < ticket.sequence)
    this.#calls.splice(after + 1, 0, ticket)
    if (this.#calls.length > kept) this.#calls.shift()
    return this.#lowest()
  }

  forget(): void {
    this.#calls = []
  }

  #lowest(): Admitted | undefined {
    const last = this.#calls.at(-1)
    let lowest: Admitted | undefined
    for (const [i, call] of this.#calls.entries()) {
      const ms = last ? last.startedAt - call.startedAt : 0
      if (!last || ms < horizonMs) break
      const calls = last.sequence - call.sequence - (this.#calls.length - 1 - i)
      const rate = (1000 * calls) / ms
      if (!lowest || rate < lowest.rate) lowest = { calls, rate }
    }
    return lowest
  }
}
