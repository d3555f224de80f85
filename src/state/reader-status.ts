import type { RunEnd } from '../protocol/outcomes.ts'
import type { StateDatabase } from './database.ts'
import { keptFirst } from './reader-runs.ts'
import {
  isWorking,
  optionalDate,
  optionalText,
  type Progress,
  ratePerSecond,
  readFailures,
  type StatusContext,
  secondsLeft,
} from './status-values.ts'

/** How far the reader is with a run; of several readers on one queue, this one's part. */
export interface ReaderStatus extends Progress {
  readonly state: 'working' | 'interrupted' | 'complete' | 'abandoned'
  /** cars whose outcome is recorded */
  readonly recorded: number
  /** cars in all, images that the detector analysed, and those that it could not: once the end message has come */
  readonly count: number | undefined
  readonly images: number | undefined
  readonly detectorFailed: number | undefined
  readonly texts: number
}

/**
 * A run whose results were deleted: it is closed, so that its messages, which SQS may deliver once more, begin no new
 * run. No run is published without a position.
 */
export const deletedRun = "state = 'complete' AND published IS NULL"

/** Reads the runs of a reader's database for people. */
export class ReaderStatuses {
  readonly #database: StateDatabase
  readonly #context: StatusContext

  constructor(database: StateDatabase, context: StatusContext) {
    this.#database = database
    this.#context = context
  }

  /**
   * @param keepRuns closed runs beyond these are remembered, but their results are gone (ReaderRuns.prune)
   * @returns the IDs of the newest runs, those that began last first
   */
  newestRuns(max: number | undefined, keepRuns: number): string[] {
    const kept = `SELECT seq FROM runs WHERE state <> 'open' ORDER BY ${keptFirst} LIMIT ?`
    const statement = this.#database.prepare(
      `SELECT run FROM runs WHERE (state = 'open' OR seq IN (${kept})) AND NOT (${deletedRun})
       ORDER BY begun DESC, seq DESC LIMIT ?`,
    )
    return this.#database.read(() => statement.all(keepRuns, max ?? -1)).map(({ run }) => String(run))
  }

  get(run: string): ReaderStatus | undefined {
    return this.#database.read(() => {
      const row = this.#database.prepare(`SELECT * FROM runs WHERE run = ? AND NOT (${deletedRun})`).get(run)
      return row && this.#parse(row)
    })
  }

  #parse(row: Record<string, unknown>): ReaderStatus {
    const state = this.#stateOf(row)
    const isOpen = state === 'working' || state === 'interrupted'
    const end: RunEnd | undefined = row.end === null ? undefined : JSON.parse(String(row.end))
    const recorded = Number(row.recorded)
    const perSecond = isOpen ? ratePerSecond(row, this.#context) : 0
    return {
      state,
      recorded,
      count: end?.count,
      images: end?.images,
      detectorFailed: end?.failed,
      texts: Number(row.texts),
      failed: Number(row.failed),
      failures: this.#failures(Number(row.seq), Number(row.failed)),
      asked: Number(row.asked),
      reused: Number(row.reused),
      perSecond,
      secondsLeft: secondsLeft(recorded, end?.count, perSecond),
      waiting: state === 'working' ? optionalText(row.waiting) : undefined,
      startedAt: new Date(Number(row.opened_at)),
      finishedAt: isOpen ? undefined : optionalDate(row.published_at ?? row.updated_at),
      requests: JSON.parse(String(row.requests)),
    }
  }

  #stateOf(row: Record<string, unknown>): ReaderStatus['state'] {
    if (row.state === 'complete' || row.state === 'abandoned') return row.state
    return isWorking(row, this.#context) ? 'working' : 'interrupted'
  }

  /** Outcomes are deleted when a run is published; then results.json has them. */
  #failures(seq: number, failed: number): ReaderStatus['failures'] {
    const query = "SELECT key, reason FROM outcomes WHERE run = ? AND outcome = 'failed' ORDER BY n LIMIT ?"
    return readFailures(this.#database, query, { seq, failed, maxFailures: this.#context.maxFailures })
  }
}
