import type { Log } from '../daemon/log.ts'
import { describeFault, type Fault } from './errors.ts'

const repeatMilliseconds = 60_000

/**
 * What keeps the work from going on just now, for the log and for STATUS. The first fault of a kind of work is
 * a warning, the same again only once a minute, and its end is told too. Throttling is no trouble: the pace
 * lives from it.
 */
export class Troubles {
  readonly #log: Log
  readonly #current = new Map<string, { said: string; warnedAt: number }>()

  constructor(log: Log) {
    this.#log = log
  }

  /** @param what the work that fails, as an infinitive: `send to the queue` */
  of(what: string, fault: Fault): void {
    if (fault.kind === 'throttle') return
    const now = performance.now()
    const said = sentence(what, fault)
    const warnedAt = this.#current.get(what)?.warnedAt ?? -Infinity
    if (now - warnedAt >= repeatMilliseconds) {
      this.#log.warn(`${said}; trying again until it works`)
      this.#current.set(what, { said, warnedAt: now })
    } else {
      this.#current.set(what, { said, warnedAt })
    }
  }

  over(what: string): void {
    if (this.#current.delete(what)) this.#log.info(`works again: ${what}`)
  }

  /** One sentence for STATUS, or undefined when all is well. */
  get sentence(): string | undefined {
    return [...this.#current.values()].at(-1)?.said
  }
}

function sentence(what: string, fault: Fault): string {
  if (fault.kind === 'credentials') {
    return `waiting for new credentials to ${what} (${describeFault(fault)}): renew them in the credentials file`
  }
  return `cannot ${what} (${describeFault(fault)})`
}
