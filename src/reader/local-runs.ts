import { join } from 'node:path'
import type { CallCounter } from '../aws/clients.ts'
import { type DiskWatch, whenThereIsRoom } from '../daemon/append-log.ts'
import { InTurn } from '../daemon/in-turn.ts'
import type { Log } from '../daemon/log.ts'
import type { CallCounts, Outcome, RunEnd } from '../protocol/outcomes.ts'
import { Ledger, ledgerPath, runFolder } from './ledger.ts'
import { isRunFinished, publishRun, repairLatest, runsIn } from './publish.ts'
import type { RunBook, RunProgress, Standing } from './run-book.ts'
import { sortedOutcomes } from './sorted-outcomes.ts'

export interface LocalRunsParts {
  readonly stateDir: string
  readonly bucket: string
  readonly label: string
  readonly log: Log
  readonly watch: DiskWatch
  readonly calls: CallCounter
  /** a run's results are published */
  readonly onFinished: (run: string) => void
}

const checkpointMilliseconds = 1000

/**
 * The runs of one state folder. A run is open (it has a ledger), finished (it has results.txt) or abandoned
 * (its ledger says so); the latter two take no more outcomes.
 */
export class LocalRuns implements RunBook {
  readonly #parts: LocalRunsParts
  readonly #open = new Map<string, { ledger: Ledger; callsBefore: CallCounts }>()
  readonly #closed = new Set<string>()
  readonly #publishing = new Map<string, Promise<void>>()
  /** all runs share stateDir/results.txt: the one that finishes last must also be shown last */
  readonly #publications = new InTurn()
  readonly #opening = new Map<string, Promise<Ledger>>()
  #checkpointAt = performance.now()
  #lastFinishedAt = 0
  #isResumed = false
  #latest: string | undefined

  /** Reads what is there, and finishes what a crash kept from being published. */
  static async open(parts: LocalRunsParts): Promise<LocalRuns> {
    const runs = new LocalRuns(parts)
    runs.#lastFinishedAt = (await repairLatest(parts.stateDir))?.finishedAt ?? 0
    for (const run of await runsIn(parts.stateDir)) await runs.#load(run)
    runs.#isResumed = runs.#open.size > 0
    return runs
  }

  private constructor(parts: LocalRunsParts) {
    this.#parts = parts
  }

  get isResumed(): boolean {
    return this.#isResumed
  }

  get progress(): RunProgress | undefined {
    const ledger = this.#open.get(this.#latest ?? '')?.ledger
    if (!ledger) return undefined
    const { run, size, end, texts, failures } = ledger
    return { run, recorded: size, count: end?.count, texts, failures }
  }

  /** The ledgers of runs that are not closed. */
  get openLedgers(): Ledger[] {
    return [...this.#open.values()].map(({ ledger }) => ledger)
  }

  async standing(run: string, n: number): Promise<Standing> {
    if (this.#closed.has(run)) return 'settled'
    const ledger = await this.ledger(run)
    if (ledger.has(n)) return 'settled'
    return ledger.end && n > ledger.end.count ? 'contradicted' : 'open'
  }

  async record(run: string, outcome: Outcome): Promise<void> {
    const ledger = this.#closed.has(run) ? undefined : await this.ledger(run)
    if (!ledger || this.#closed.has(run)) return
    await ledger.record(outcome)
    this.#latest = run
    if (performance.now() - this.#checkpointAt >= checkpointMilliseconds) await this.#checkpoint(ledger)
    await this.#publishIfComplete(ledger)
  }

  async recordEnd(run: string, end: RunEnd): Promise<'recorded' | 'contradicted'> {
    if (this.#closed.has(run)) return 'recorded'
    const ledger = await this.ledger(run)
    if (ledger.end && ledger.end.count !== end.count && !end.abandoned) return 'contradicted'
    if (!ledger.end) {
      await ledger.record({ end, at: Date.now() })
      this.#parts.log.info(`the detector has ended run ${run}`, {
        cars: end.count,
        pictures: end.images,
        failed: end.failed,
      })
    }
    this.#latest = run
    // The first end counts: a run that was ended before it was given up has all its messages.
    if (ledger.end?.abandoned) await this.#abandon(ledger)
    else await this.#publishIfComplete(ledger)
    return 'recorded'
  }

  /** @returns the run's ledger, opened or begun; the run must not be closed */
  async ledger(run: string): Promise<Ledger> {
    const open = this.#open.get(run)
    if (open) return open.ledger
    const opening = this.#opening.get(run) ?? this.#begin(run).finally(() => this.#opening.delete(run))
    this.#opening.set(run, opening)
    return opening
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#publishing.values())
    for (const { ledger } of this.#open.values()) {
      await this.#checkpoint(ledger).catch(() => undefined)
      await ledger.close()
    }
    this.#open.clear()
  }

  async #load(run: string): Promise<void> {
    if (await isRunFinished(this.#parts.stateDir, run)) {
      this.#closed.add(run)
      return
    }
    const ledger = await this.#begin(run)
    if (ledger.end?.abandoned) await this.#abandon(ledger)
    else await this.#publishIfComplete(ledger)
  }

  async #begin(run: string): Promise<Ledger> {
    const { stateDir, watch, log, calls } = this.#parts
    const ledger = await Ledger.open(stateDir, run, watch, (path, lineNumber) =>
      log.warn(
        `${path}: line ${lineNumber} is damaged and is passed over; if the run does not complete, start the detector again for a new one`,
      ),
    )
    this.#open.set(run, { ledger, callsBefore: calls.counts })
    this.#latest = run
    return ledger
  }

  async #abandon(ledger: Ledger): Promise<void> {
    this.#close(ledger.run)
    await ledger.close()
    this.#parts.log.warn(`run ${ledger.run} was given up by its detector: it is closed without a result`)
  }

  #close(run: string): void {
    this.#closed.add(run)
    this.#open.delete(run)
  }

  /** However many outcomes complete a run at once, it is published once. */
  async #publishIfComplete(ledger: Ledger): Promise<void> {
    if (!ledger.isComplete) return
    const publishing = this.#publishing.get(ledger.run) ?? this.#publications.do(() => this.#publish(ledger))
    this.#publishing.set(ledger.run, publishing)
    await publishing
  }

  async #publish(ledger: Ledger): Promise<void> {
    const { stateDir, log, watch, onFinished } = this.#parts
    const { run, end, texts, failures } = ledger
    const head = this.#head(ledger, end ?? { count: 0, images: 0, failed: 0 })
    const outcomes = () => sortedOutcomes(ledgerPath(stateDir, run), head.count, runFolder(stateDir, run))
    await whenThereIsRoom(stateDir, watch, () => publishRun(stateDir, head, outcomes))
    this.#close(run)
    await ledger.close()
    log.info(`run ${run} is complete`, {
      cars: head.count,
      texts,
      failed: failures,
      results: join(stateDir, 'results.txt'),
    })
    onFinished(run)
  }

  async #checkpoint(ledger: Ledger): Promise<void> {
    this.#checkpointAt = performance.now()
    const { run, size: recorded, texts, failures, end } = ledger
    const count = end && { count: end.count }
    await ledger.record({ calls: this.#callsOf(run), recorded, texts, failures, ...count, at: Date.now() })
  }

  #head({ run, texts, failures }: Ledger, end: Pick<RunEnd, 'count' | 'images' | 'failed'>) {
    // Later runs finish later, also when the clock was set back.
    this.#lastFinishedAt = Math.max(Date.now(), this.#lastFinishedAt + 1)
    const { bucket, label } = this.#parts
    const finishedAt = new Date(this.#lastFinishedAt).toISOString()
    const { count, images, failed } = end
    const calls = this.#callsOf(run)
    return { run, bucket, label, count, images, detectorFailed: failed, texts, failures, finishedAt, calls }
  }

  /** Requests of a run: those of earlier processes and those since this one opened it. */
  #callsOf(run: string): CallCounts {
    const { ledger, callsBefore } = this.#open.get(run) ?? {}
    const total: Record<string, number> = { ...ledger?.earlierCalls }
    for (const [operation, count] of Object.entries(this.#parts.calls.counts)) {
      const since = count - (callsBefore?.[operation] ?? 0)
      if (since > 0) total[operation] = (total[operation] ?? 0) + since
    }
    return total
  }
}
