import type { Troubles } from '../aws/troubles.ts'
import type { Log } from '../daemon/log.ts'
import { RateMeter } from '../daemon/rate.ts'
import type { ServiceManager } from '../daemon/systemd.ts'
import { judgedImages, type RunState } from './journal.ts'

const logEveryMilliseconds = 30_000
/** How much longer systemd is to wait with each sign of life; above the longest call. */
const extensionMilliseconds = 300_000

/** Tells how far a run is: to the service manager every second, to the log twice a minute. */
export class Progress {
  readonly #state: RunState
  readonly #parts: { log: Log; manager: ServiceManager; troubles: Troubles }
  readonly #rate = new RateMeter(() => performance.now())
  readonly #timer: NodeJS.Timeout
  #loggedAt = performance.now()
  /** pictures that the listing holds in all, once it is known */
  total: number | undefined

  constructor(state: RunState, parts: { log: Log; manager: ServiceManager; troubles: Troubles }) {
    this.#state = state
    this.#parts = parts
    this.#timer = setInterval(() => this.#tell(), 1000)
  }

  judged(): void {
    this.#rate.add()
  }

  end(): void {
    clearInterval(this.#timer)
  }

  /** `run …: 812 of 1200 pictures, 402 cars, 49.8/s` */
  get sentence(): string {
    const { run, cars, failed } = this.#state
    const of = this.total === undefined ? '' : ` of ${this.total}`
    const failures = failed > 0 ? `, ${failed} failed` : ''
    return `run ${run}: ${judgedImages(this.#state)}${of} pictures, ${cars} cars${failures}, ${this.#rate.perSecond.toFixed(1)}/s`
  }

  #tell(): void {
    const trouble = this.#parts.troubles.sentence
    this.#parts.manager.status(trouble ? `${this.sentence}; ${trouble}` : this.sentence)
    this.#parts.manager.extendTimeout(extensionMilliseconds)
    if (performance.now() - this.#loggedAt < logEveryMilliseconds) return
    this.#loggedAt = performance.now()
    this.#parts.log.info(this.sentence)
  }
}
