import type { StateDatabase } from './database.ts'
import type { Role } from './role.ts'
import {
  type CallsToday,
  callsToday,
  isWorking,
  optionalDate,
  optionalText,
  type StatusContext,
} from './status-values.ts'

/** A worker of this host, whatever run it works on. */
export interface WorkerStatus {
  /** undefined: this user may not know */
  readonly isRunning: boolean | undefined
  /** what the worker waits for, as its unfinished run says */
  readonly waiting: string | undefined
  /** the run that began last, whatever became of it */
  readonly newestRun: string | undefined
  /** runs that are not finished, and when the first of them began on this host */
  readonly openRuns: number
  readonly openSince: Date | undefined
  /** when a run was last brought to its end: its "-1" fixed by the detector, its results published by the reader */
  readonly lastSuccessAt: Date | undefined
  readonly callsToday: CallsToday
  readonly calls: readonly CallTotal[]
}

/** Rekognition calls of one worker since its database was created. */
export interface CallTotal {
  readonly operation: string
  readonly region: string
  readonly answered: number
  readonly throttled: number
  readonly failed: number
}

/** How the tables of the two workers name the same things. */
const columns = {
  detector: {
    isOpen: "state IN ('open', 'ended')",
    begun: 'started_at',
    isDone: "state = 'done'",
    end: 'ended_at',
  },
  reader: { isOpen: "state = 'open'", begun: 'opened_at', isDone: "state = 'complete'", end: 'published_at' },
} as const satisfies Record<Role, object>

export function workerStatus(
  database: StateDatabase,
  role: Role,
  context: StatusContext,
): Omit<WorkerStatus, 'newestRun'> {
  const { isOpen, begun, isDone, end } = columns[role]
  const open = `SELECT count(*) AS count, min(${begun}) AS since FROM runs WHERE ${isOpen}`
  const done = `SELECT max(${end}) AS at FROM runs WHERE ${isDone}`
  // The worker updates the run that it works on; others keep what they said last.
  const current = `SELECT waiting, updated_at FROM runs WHERE ${isOpen} ORDER BY updated_at DESC LIMIT 1`
  return database.read(() => {
    const [runs, success] = [database.prepare(open).get(), database.prepare(done).get()]
    const run = database.prepare(current).get()
    return {
      isRunning: context.isRunning,
      waiting: run && isWorking(run, context) ? optionalText(run.waiting) : undefined,
      openRuns: Number(runs?.count),
      openSince: optionalDate(runs?.since),
      lastSuccessAt: optionalDate(success?.at),
      callsToday: callsToday(database, context.now),
      calls: callTotals(database),
    }
  })
}

function callTotals(database: StateDatabase): CallTotal[] {
  const statement = database.prepare(
    `SELECT operation, region, sum(answered) AS answered, sum(throttled) AS throttled, sum(failed) AS failed
     FROM calls GROUP BY operation, region ORDER BY operation, region`,
  )
  return statement.all().map(({ operation, region, answered, throttled, failed }) => ({
    operation: String(operation),
    region: String(region),
    answered: Number(answered),
    throttled: Number(throttled),
    failed: Number(failed),
  }))
}
