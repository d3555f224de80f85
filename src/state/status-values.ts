import type { FailedImage } from '../protocol/messages.ts'
import type { CallCounts } from '../protocol/outcomes.ts'
import { countReserved, dayOf } from './calls.ts'
import type { StateDatabase } from './database.ts'

/** What a status is computed with. */
export interface StatusContext {
  /** whether the worker holds its lock; undefined: this user may not know */
  readonly isRunning: boolean | undefined
  /** failures per run at most */
  readonly maxFailures: number
  /** ms since 1970 */
  readonly now: number
}

/** What both workers report about a run. */
export interface Progress {
  readonly failed: number
  /** the first of them, in the order of their keys or numbers */
  readonly failures: readonly FailedImage[]
  /** Rekognition calls that this run paid for, and answers of earlier runs that it used instead */
  readonly asked: number
  readonly reused: number
  /** 0 unless the worker works on the run */
  readonly perSecond: number
  readonly secondsLeft: number | undefined
  /** what the worker waits for */
  readonly waiting: string | undefined
  readonly startedAt: Date
  readonly finishedAt: Date | undefined
  /** requests to all services by operation */
  readonly requests: CallCounts
}

/** Rekognition calls of one worker in this UTC day. */
export interface CallsToday {
  /** counted against `maxCallsPerDay`: calls that are billed, or may be */
  readonly reserved: number
  readonly answered: number
  readonly throttled: number
  readonly failed: number
}

type Row = Record<string, unknown>

/** A worker writes its progress every few seconds; one that was killed does not. */
const staleAfterMs = 15_000

/** Whether the worker is working on an unfinished run: its lock tells, or else how old its last word is. */
export function isWorking(row: Row, context: StatusContext): boolean {
  return context.isRunning ?? isRecent(row, context)
}

/** The rate of an unfinished run: that of a run which the worker has left, or that it cannot continue, is history. */
export function ratePerSecond(row: Row, context: StatusContext): number {
  return isWorking(row, context) && isRecent(row, context) ? Number(row.per_second) : 0
}

export function secondsLeft(done: number, total: number | undefined, perSecond: number): number | undefined {
  return total !== undefined && perSecond > 0 ? Math.max(0, total - done) / perSecond : undefined
}

/** Clocks can be set back: a time in the future is as old as one in the past. */
function isRecent({ updated_at }: Row, { now }: StatusContext): boolean {
  return Math.abs(now - Number(updated_at)) < staleAfterMs
}

/** @param query selects key and reason of a run's failures, the parameters being its seq and a limit */
export function readFailures(
  database: StateDatabase,
  query: string,
  { seq, failed, maxFailures }: { seq: number; failed: number; maxFailures: number },
): FailedImage[] {
  if (failed === 0 || maxFailures === 0) return []
  return database
    .prepare(query)
    .all(seq, maxFailures)
    .map(({ key, reason }) => ({ key: String(key), reason: String(reason) }))
}

export function optionalNumber(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined
}

export function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

export function optionalDate(value: unknown): Date | undefined {
  return typeof value === 'number' ? new Date(value) : undefined
}

export function callsToday(database: StateDatabase, now: number): CallsToday {
  const statement = database.prepare(
    `SELECT total(answered) AS answered, total(throttled) AS throttled, total(failed) AS failed
     FROM calls WHERE day = ?`,
  )
  return database.read(() => {
    const today = statement.get(dayOf(now))
    return {
      reserved: countReserved(database, now),
      answered: Number(today?.answered),
      throttled: Number(today?.throttled),
      failed: Number(today?.failed),
    }
  })
}
