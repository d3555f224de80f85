import type { Ticket } from './pace.ts'

/** What the service did between two throttled calls. */
export interface Between {
  readonly admitted: number
  readonly throttled: number
  readonly ms: number
}

const mostKept = 100

/**
 * The last throttled calls, in the order in which they were started. Between any two of them the service has
 * admitted every call but the throttled ones; answers need not have come.
 */
export class ThrottleRecord {
  #calls: Ticket[] = []

  add(ticket: Ticket): void {
    const before = this.#calls.findLastIndex((call) => call.sequence < ticket.sequence)
    this.#calls.splice(before + 1, 0, ticket)
    if (this.#calls.length > mostKept) this.#calls.shift()
  }

  /** Throttled calls that were started at or after a time (ms). */
  since(at: number): number {
    return this.#calls.filter((call) => call.startedAt >= at).length
  }

  /** From each earlier throttled call to the newest one, the shortest time first. */
  *untilNewest(): Generator<Between> {
    const newest = this.#calls.at(-1)
    if (!newest) return
    for (const [i, call] of this.#calls.slice(0, -1).reverse().entries()) {
      const throttled = i + 1
      const admitted = newest.sequence - call.sequence - throttled
      yield { admitted, throttled, ms: newest.startedAt - call.startedAt }
    }
  }
}
