import { join } from 'node:path'
import { SerialQueue } from '../flow/serial-queue.ts'
import { TaskPool } from '../flow/task-pool.ts'
import type { Log } from '../host/log.ts'
import type { Outcome, RunEnd } from '../protocol/outcomes.ts'
import type { ResultsHead } from '../results/format.ts'
import { deleteRunFiles, publishRun, runDirectory, showLatest } from '../results/publish.ts'
import type { StateDatabase } from '../state/database.ts'
import type { OutcomeSource, ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'

/** Whether an image of a run needs work. `out-of-range`: its number is beyond what the run's end message counts. */
export type ImageState = 'pending' | 'done' | 'out-of-range'

export interface CoordinatorParts {
  readonly stateDir: string
  readonly bucket: string
  readonly label: string
  readonly keepRuns: number
  readonly database: StateDatabase
  readonly runs: ReaderRuns
  readonly log: Log
  /** repeats what a full disk keeps from being written */
  readonly whenSpace: <T>(path: string, write: () => Promise<T>) => Promise<T>
  /** called with each run whose results are published */
  readonly onPublished: (row: ReaderRunRow) => void
}

/** What happens to a run besides this reader's own outcomes; several readers agree in `resultsBucket`. */
export interface RunSharing {
  /** whether another reader has the outcome */
  hasOutcome(run: string, n: number): Promise<boolean>
  /** @returns the outcome that holds */
  putOutcome(run: string, outcome: Outcome): Promise<Outcome>
  /** @returns the end that holds */
  putEnd(run: string, end: RunEnd): Promise<RunEnd>
  /** the run's end is known: resolves when the run is closed, whoever has published it */
  finish(row: ReaderRunRow, end: RunEnd): Promise<void>
}

/**
 * The runs of a reader. A run is open from its first message on; complete when it has as many outcomes as its end
 * counts; then it is published and takes no more outcomes. An abandoned run is closed without a result.
 *
 * With a single reader its database decides; with several (`sharing`) the objects of `resultsBucket` do, and the
 * database holds a copy. Runs are published one after the other. results.txt is the one of the complete run that began last:
 * a run that completes after a newer one is published in its directory only.
 */
export class RunCoordinator {
  readonly #parts: CoordinatorParts
  readonly #sharing: RunSharing | undefined
  readonly #background = new TaskPool(() => Number.POSITIVE_INFINITY)
  readonly #publications = new SerialQueue()
  /** outcomes within the count, of runs whose end is known */
  readonly #within = new Map<number, { recorded: number; count: number }>()
  readonly #publishing = new Map<number, Promise<void>>()
  #current: number | undefined

  constructor(parts: CoordinatorParts, sharing?: RunSharing) {
    this.#parts = parts
    this.#sharing = sharing
  }

  /** Finishes what a crash has interrupted: publications, deletions, the copy of the latest results. */
  resume(): void {
    const { runs, stateDir, whenSpace } = this.#parts
    const latest = runs.latest()
    if (latest) {
      this.#background.start(() =>
        this.#publications.run(() => whenSpace(stateDir, () => showLatest(stateDir, latest.run))),
      )
    }
    for (const row of runs.open()) {
      this.#current = row.seq
      const { end } = row
      if (end) this.#background.start(() => this.#ended(row, end))
    }
    this.#background.start(() => runs.deleteDetails())
  }

  /** @throws {ImgpipeError} what went wrong in the background */
  throwIfFailed(): void {
    this.#background.throwIfFailed()
  }

  /** The run that was worked on last. */
  get current(): number | undefined {
    return this.#current
  }

  /** Whether a run takes no more outcomes. A run that is not known does. */
  isClosed(run: string): boolean {
    const state = this.#parts.runs.get(run)?.state
    return state !== undefined && state !== 'open'
  }

  async state(run: string, n: number): Promise<ImageState> {
    const { runs } = this.#parts
    const row = await runs.begin(run)
    if (row.state !== 'open' || runs.hasOutcome(row.seq, n)) return 'done'
    if (row.end && n > row.end.count) return 'out-of-range'
    return (await this.#sharing?.hasOutcome(run, n)) ? 'done' : 'pending'
  }

  /** Commits what must be durable before the outcome is, because other readers learn of it. */
  async commitFor(run: string, write: (seq: number) => void): Promise<void> {
    const { runs, database } = this.#parts
    const { seq } = await runs.begin(run)
    await database.commit(() => write(seq))
  }

  /**
   * Records an outcome, with what else belongs into the same commit.
   *
   * @returns when it is durable and, if it completes the run, the results are published: its message may be deleted
   */
  async record(
    run: string,
    outcome: Outcome,
    source: OutcomeSource,
    also?: (seq: number) => void,
  ): Promise<void> {
    const { runs, database } = this.#parts
    const agreed = (await this.#sharing?.putOutcome(run, outcome)) ?? outcome
    const row = await runs.begin(run)
    this.#current = row.seq
    const isFirst = await database.commit(() => {
      also?.(row.seq)
      // The run may have been closed since.
      return runs.get(run)?.state === 'open' && runs.addOutcome(row.seq, agreed, source)
    })
    const within = this.#within.get(row.seq)
    if (!isFirst || !within || outcome.n > within.count) return
    within.recorded++
    await this.#publishIfComplete(row, within)
  }

  /**
   * @returns `recorded` when the end message may be deleted, `contradicted` when the run has ended with another count
   * @throws {ShutdownError} when the process stops before that is known
   */
  async recordEnd(run: string, end: RunEnd): Promise<'recorded' | 'contradicted'> {
    const { runs, database, log } = this.#parts
    const row = await runs.begin(run)
    if (row.state !== 'open') return 'recorded'
    if (!row.end) {
      const agreed = (await this.#sharing?.putEnd(run, end)) ?? end
      await database.commit(() => runs.setEnd(row.seq, agreed))
    }
    // Of two ends that come at once, the one that was committed first holds.
    const holds = runs.get(run)?.end ?? end
    if (holds.count !== end.count && !end.abandoned) return 'contradicted'
    if (!row.end) {
      log.info(`the detector has ended run ${run}`, {
        cars: holds.count,
        images: holds.images,
        failed: holds.failed,
      })
    }
    this.#current = row.seq
    await this.#ended(row, holds)
    return 'recorded'
  }

  /** Closes a run without a result. */
  async abandon(row: ReaderRunRow, reason: string): Promise<void> {
    const { runs, database, log } = this.#parts
    this.#within.delete(row.seq)
    await database.commit(() => runs.setAbandoned(row.seq))
    log.warn(`run ${row.run} is abandoned: ${reason}`)
    this.#background.start(() => runs.deleteDetails())
  }

  /** Closes a run that is complete, but whose results are not to be had any more. */
  async closeWithoutResults(row: ReaderRunRow): Promise<void> {
    const { runs, database } = this.#parts
    await database.commit(() => runs.setDeleted(row.seq))
    this.#background.start(() => runs.deleteDetails())
  }

  /** Publishes what `write` has on the disk of a run, in turn with all others. */
  publishInTurn<T>(write: () => Promise<T>): Promise<T> {
    return this.#publications.run(() => this.#parts.whenSpace(this.#parts.stateDir, write))
  }

  /**
   * The run's results are in its directory: closes it and deletes what is older than `keepRuns`.
   *
   * @param position of a shared run: its place in the order of finished runs
   * @param also what else belongs into the same commit
   */
  async close(row: ReaderRunRow, position?: number, also?: () => void): Promise<void> {
    const { runs, database, stateDir, keepRuns, onPublished } = this.#parts
    this.#within.delete(row.seq)
    this.#publishing.delete(row.seq)
    await database.commit(() => {
      runs.setComplete(row.seq, position)
      also?.()
    })
    const closed = runs.get(row.run) ?? row
    this.#logComplete(closed)
    onPublished(closed)
    await runs.deleteDetails()
    await deleteRunFiles(stateDir, await runs.prune(keepRuns))
  }

  #logComplete(row: ReaderRunRow): void {
    const { runs, log, stateDir } = this.#parts
    const { run, end, texts, failed, asked, reused } = row
    const shown = runs.latest()?.run ?? run
    const isShown = shown === run
    const results = join(isShown ? stateDir : runDirectory(stateDir, run), 'results.txt')
    const note = isShown ? '' : `; results.txt goes on showing run ${shown}, which began later`
    log.info(`run ${run} is complete${note}`, {
      cars: end?.count,
      texts,
      failed,
      calls: asked,
      reused,
      results,
    })
  }

  /** Waits for publications that have begun. */
  async finish(maxMs: number): Promise<void> {
    await this.#background.waitUntilIdle(maxMs)
  }

  async #ended(row: ReaderRunRow, end: RunEnd): Promise<void> {
    if (this.#sharing && !row.isForeign) return this.#sharing.finish(row, end)
    if (end.abandoned) return this.abandon(row, 'its detector started another run')
    const within = { recorded: this.#parts.runs.countOutcomes(row.seq, end.count), count: end.count }
    this.#within.set(row.seq, within)
    await this.#publishIfComplete(row, within)
  }

  /** However many outcomes complete a run at once, it is published once, and all of them wait for it. */
  async #publishIfComplete(row: ReaderRunRow, within: { recorded: number; count: number }): Promise<void> {
    if (within.recorded < within.count) return
    // The counter only spares a query per outcome: outcomes that were committed while the end came count twice in it.
    within.recorded = this.#parts.runs.countOutcomes(row.seq, within.count)
    if (within.recorded < within.count) return
    const publishing = this.#publishing.get(row.seq) ?? this.publishInTurn(() => this.#publish(row.run))
    this.#publishing.set(row.seq, publishing)
    await publishing
  }

  async #publish(run: string): Promise<void> {
    const { runs, stateDir } = this.#parts
    const row = runs.get(run)
    if (!row?.end || row.state !== 'open') return
    const head = this.head(row, row.end, Date.now())
    const outcomes = runs.outcomes(row.seq, row.end.count)
    await publishRun(stateDir, head, outcomes, { isNewest: runs.isNewest(row.seq) })
    await this.close(row)
  }

  /** What results.json says of the run itself. */
  head(row: ReaderRunRow, end: RunEnd, finishedAt: number): ResultsHead {
    const { bucket, label } = this.#parts
    const { run, texts, failed, asked, reused } = row
    return {
      run,
      bucket,
      label: end.label ?? label,
      count: end.count,
      images: end.images,
      detectorFailed: end.failed,
      detectorFailures: end.failures,
      texts,
      failures: failed,
      finishedAt: new Date(finishedAt).toISOString(),
      calls: { DetectText: asked },
      reused,
      requests: row.requests,
    }
  }
}
