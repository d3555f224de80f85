import type { Troubles } from '../aws/troubles.ts'
import type { Log } from '../daemon/log.ts'
import { RateMeter } from '../daemon/rate.ts'
import type { ServiceManager } from '../daemon/systemd.ts'
import type { RunBook } from './run-book.ts'

const logEveryMilliseconds = 30_000

/** Tells how far the reader is: to the service manager every second, to the log twice a minute while it works. */
export class Progress {
  readonly #parts: { log: Log; manager: ServiceManager; troubles: Troubles; book: RunBook }
  readonly #rate = new RateMeter(() => performance.now())
  readonly #timer: NodeJS.Timeout
  #loggedAt = performance.now()
  #readSinceLogged = 0

  constructor(parts: { log: Log; manager: ServiceManager; troubles: Troubles; book: RunBook }) {
    this.#parts = parts
    this.#timer = setInterval(() => this.#tell(), 1000)
  }

  read(): void {
    this.#rate.add()
    this.#readSinceLogged++
  }

  end(): void {
    clearInterval(this.#timer)
  }

  /** `run …: 812 of 1200 cars read, 402 with text, 49.8/s` */
  get sentence(): string {
    const progress = this.#parts.book.progress
    if (!progress) return 'waiting for messages'
    const { run, recorded, count, texts, failures } = progress
    const of = count === undefined ? '' : ` of ${count}`
    const failed = failures > 0 ? `, ${failures} failed` : ''
    return `run ${run}: ${recorded}${of} cars read, ${texts} with text${failed}, ${this.#rate.perSecond.toFixed(1)}/s`
  }

  #tell(): void {
    const trouble = this.#parts.troubles.sentence
    this.#parts.manager.status(trouble ? `${this.sentence}; ${trouble}` : this.sentence)
    if (this.#readSinceLogged === 0 || performance.now() - this.#loggedAt < logEveryMilliseconds) return
    this.#loggedAt = performance.now()
    this.#readSinceLogged = 0
    this.#parts.log.info(this.sentence)
  }
}
