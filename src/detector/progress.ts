import type { Clients } from '../aws/clients.ts'
import type { OutageLog } from '../flow/outage-log.ts'
import { RateMeter } from '../flow/rate-meter.ts'
import type { Log } from '../host/log.ts'
import type { ServiceManager } from '../host/service-manager.ts'

const logEveryMs = 30_000
/** systemd waits for so long after the last sign of progress; above the longest request. */
const extensionMs = 15 * 60_000
/** A request in flight for so long is worth a word in STATUS. */
const pendingMs = 10_000

export interface ProgressParts {
  readonly log: Log
  readonly manager: ServiceManager
  readonly outages: OutageLog
  readonly clients: Clients
}

/** What the counts of a run are; the sentence is made of them. */
export interface RunCounts {
  readonly run: string
  readonly processed: number
  readonly cars: number
  readonly failed: number
}

/**
 * Reports how far the detector is: to the service manager every second, to the log twice a minute. The start timeout is
 * extended only while requests are answered, images are decided, or something that has a name is waited for: a detector
 * that hangs is ended by systemd.
 */
export class Progress {
  readonly #parts: ProgressParts
  readonly #rate = new RateMeter(() => performance.now())
  readonly #timer: NodeJS.Timeout
  #counts: () => RunCounts | undefined = () => undefined
  #phase = 'starting'
  #loggedAt = performance.now()
  #decided = 0
  #seenActivity = -1
  /** images that the listing holds in all, once it is known */
  total: number | undefined

  constructor(parts: ProgressParts) {
    this.#parts = parts
    this.#timer = setInterval(() => this.#report(), 1000)
  }

  /** What is done while there is no run: `listing the bucket`. */
  phase(sentence: string): void {
    this.#phase = sentence
  }

  run(counts: () => RunCounts): void {
    this.#counts = counts
  }

  decided(): void {
    this.#decided++
    this.#rate.add()
  }

  end(): void {
    clearInterval(this.#timer)
    this.#parts.outages.settle({ final: true })
  }

  get perSecond(): number {
    return this.#rate.perSecond
  }

  /** What is waited for, if it lasts. */
  get waiting(): string | undefined {
    const { outages, clients } = this.#parts
    const pending = clients.calls.oldestPending(pendingMs)
    if (outages.summary !== undefined) return outages.summary
    return pending && `waiting for ${pending.operation} for ${Math.round(pending.ageMs / 1000)} s`
  }

  /** `run …: 812 of 1200 images, 402 cars, 49.8/s` */
  get sentence(): string {
    const counts = this.#counts()
    if (!counts) return this.#phase
    const of = this.total === undefined ? '' : ` of ${this.total}`
    const failures = counts.failed > 0 ? `, ${counts.failed} failed` : ''
    return `run ${counts.run}: ${counts.processed}${of} images, ${counts.cars} cars${failures}, ${this.perSecond.toFixed(1)}/s`
  }

  #report(): void {
    const { manager, log, outages } = this.#parts
    outages.settle()
    const { waiting } = this
    manager.status(waiting ? `${this.sentence}; ${waiting}` : this.sentence)
    if (this.#isAlive()) manager.extendTimeout(extensionMs)
    if (performance.now() - this.#loggedAt < logEveryMs) return
    this.#loggedAt = performance.now()
    log.info(this.sentence)
  }

  #isAlive(): boolean {
    const { clients, outages } = this.#parts
    const activity = clients.calls.activity + this.#decided
    const hasProgressed = activity !== this.#seenActivity
    this.#seenActivity = activity
    return hasProgressed || outages.isWaiting
  }
}
