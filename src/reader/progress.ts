import type { Clients } from '../aws/clients.ts'
import type { OutageLog } from '../flow/outage-log.ts'
import { RateMeter } from '../flow/rate-meter.ts'
import type { Log } from '../host/log.ts'
import type { ServiceManager } from '../host/service-manager.ts'
import { addCounts, type CallCounts } from '../protocol/outcomes.ts'
import type { CallTally, DailyCalls } from '../state/calls.ts'
import type { StateDatabase } from '../state/database.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'
import type { RunCoordinator } from './run-coordinator.ts'

const logEveryMs = 30_000
const pendingMs = 10_000
/** Who may not look at the lock takes a worker for gone when its run was not updated for 15 seconds. */
const heartbeatMs = 10_000

export interface ProgressParts {
  readonly log: Log
  readonly manager: ServiceManager
  readonly outages: OutageLog
  readonly clients: Clients
  readonly database: StateDatabase
  readonly runs: ReaderRuns
  readonly coordinator: RunCoordinator
  readonly calls: DailyCalls
  readonly tally: CallTally
  /** called with what cannot be handled here, such as a database that fails */
  readonly onError: (error: unknown) => void
}

/** Reports how far the reader is: to the service manager and the database every second, to the log twice a minute while it works. */
export class Progress {
  readonly #parts: ProgressParts
  readonly #rate = new RateMeter(() => performance.now())
  readonly #timer: NodeJS.Timeout
  #loggedAt = performance.now()
  #readSinceLogged = 0
  #stored = ''
  /** requests that are accounted for in some run */
  #counted: CallCounts = {}

  constructor(parts: ProgressParts) {
    this.#parts = parts
    this.#timer = setInterval(() => {
      this.#report().catch(parts.onError)
    }, 1000)
  }

  recorded(): void {
    this.#rate.add()
    this.#readSinceLogged++
  }

  end(): void {
    clearInterval(this.#timer)
    this.#parts.outages.settle({ final: true })
  }

  /** `run …: 812 of 1200 cars read, 402 with text, 49.8/s` */
  #sentence(row: ReaderRunRow | undefined): string {
    if (!row) return 'waiting for messages'
    const { run, recorded, end, texts, failed } = row
    const of = end === undefined ? '' : ` of ${end.count}`
    const failures = failed > 0 ? `, ${failed} failed` : ''
    return `run ${run}: ${recorded}${of} cars read, ${texts} with text${failures}, ${this.#rate.perSecond.toFixed(1)}/s`
  }

  get #waiting(): string | undefined {
    const { outages, clients } = this.#parts
    const pending = clients.calls.oldestPending(pendingMs)
    if (outages.summary !== undefined) return outages.summary
    return pending && `waiting for ${pending.operation} for ${Math.round(pending.ageMs / 1000)} s`
  }

  async #report(): Promise<void> {
    const { manager, log, coordinator, runs, outages } = this.#parts
    outages.settle()
    const waiting = this.#waiting
    const row = runs.open().find(({ seq }) => seq === coordinator.current)
    const sentence = this.#sentence(row)
    manager.status(waiting ? `${sentence}; ${waiting}` : sentence)
    if (this.#readSinceLogged > 0 && performance.now() - this.#loggedAt >= logEveryMs) {
      this.#loggedAt = performance.now()
      this.#readSinceLogged = 0
      log.info(sentence)
    }
    await this.#store(row, waiting)
  }

  /** For `imgpipe status`: when something has changed, and from time to time while there is a run. */
  async #store(row: ReaderRunRow | undefined, waiting: string | undefined): Promise<void> {
    const { database, runs, clients, calls, tally } = this.#parts
    const { perSecond } = this.#rate
    const { throttled, failed } = tally.take()
    const heartbeat = Math.floor(performance.now() / heartbeatMs)
    const state = JSON.stringify([row?.seq, row?.recorded, waiting, perSecond, row && heartbeat])
    if (state === this.#stored && throttled + failed === 0) return
    this.#stored = state
    const requests = addCounts(clients.calls.counts, this.#counted, -1)
    if (row) this.#counted = clients.calls.counts
    const write = () => {
      if (row) runs.setProgress(row.seq, { perSecond, waiting, requests })
      calls.count('DetectText', 'throttled', throttled)
      calls.count('DetectText', 'failed', failed)
    }
    await database.commit(write)
  }
}
