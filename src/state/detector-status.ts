import type { StateDatabase } from './database.ts'
import { DetectorRuns, type RunSettings } from './detector-runs.ts'
import {
  isWorking,
  optionalDate,
  optionalNumber,
  optionalText,
  type Progress,
  ratePerSecond,
  readFailures,
  type StatusContext,
  secondsLeft,
} from './status-values.ts'

/** How far the detector is with a run. */
export interface DetectorStatus extends Progress {
  readonly state: 'working' | 'interrupted' | 'done' | 'abandoned'
  readonly bucket: string
  readonly prefix: string
  readonly label: string
  /** images that are decided */
  readonly processed: number
  /** images in all, once that is known */
  readonly total: number | undefined
  readonly cars: number
}

/** Reads the runs of a detector's database for people. */
export class DetectorStatuses {
  readonly #database: StateDatabase
  readonly #context: StatusContext

  constructor(database: StateDatabase, context: StatusContext) {
    this.#database = database
    this.#context = context
  }

  /** @returns the IDs of the newest runs, in the order in which they began, newest first */
  newestRuns(max: number | undefined): string[] {
    const statement = this.#database.prepare('SELECT run FROM runs ORDER BY seq DESC LIMIT ?')
    return this.#database.read(() => statement.all(max ?? -1)).map(({ run }) => String(run))
  }

  get(run: string): DetectorStatus | undefined {
    return this.#database.read(() => {
      const row = this.#database.prepare('SELECT * FROM runs WHERE run = ?').get(run)
      return row && this.#parse(row)
    })
  }

  #parse(row: Record<string, unknown>): DetectorStatus {
    const state = this.#stateOf(row)
    const isOver = state === 'done' || state === 'abandoned'
    const { bucket, prefix, label }: RunSettings = JSON.parse(String(row.settings))
    const { processed, cars, failed } = this.#countsOf(row, isOver)
    const total = state === 'done' ? processed : optionalNumber(row.total)
    const perSecond = isOver ? 0 : ratePerSecond(row, this.#context)
    return {
      state,
      bucket,
      prefix,
      label,
      processed,
      total,
      cars,
      failed,
      failures: this.#failures(Number(row.seq), failed),
      asked: Number(row.asked),
      reused: Number(row.reused),
      perSecond,
      secondsLeft: secondsLeft(processed, total, perSecond),
      waiting: state === 'working' ? optionalText(row.waiting) : undefined,
      startedAt: new Date(Number(row.started_at)),
      finishedAt: isOver ? optionalDate(row.ended_at) : undefined,
      requests: JSON.parse(String(row.requests)),
    }
  }

  #stateOf(row: Record<string, unknown>): DetectorStatus['state'] {
    if (row.state === 'done' || row.state === 'abandoned') return row.state
    return isWorking(row, this.#context) ? 'working' : 'interrupted'
  }

  /** The row is written every second or so; what came since is counted, as far as it is in other tables. */
  #countsOf(
    row: Record<string, unknown>,
    isOver: boolean,
  ): { processed: number; cars: number; failed: number } {
    const counted = { processed: Math.max(Number(row.processed), Number(row.images)), cars: Number(row.cars) }
    if (isOver) return { ...counted, failed: Number(row.failed) }
    const runs = new DetectorRuns(this.#database)
    const failed = Math.max(Number(row.failed), runs.countFailures(Number(row.seq)))
    const decided = Number(row.asked) + Number(row.reused) + failed
    const cars = Math.max(counted.cars, runs.countCars(Number(row.seq)))
    return { processed: Math.max(counted.processed, decided), cars, failed }
  }

  #failures(seq: number, failed: number): DetectorStatus['failures'] {
    const query = 'SELECT key, reason FROM failures WHERE run = ? ORDER BY key LIMIT ?'
    return readFailures(this.#database, query, { seq, failed, maxFailures: this.#context.maxFailures })
  }
}
