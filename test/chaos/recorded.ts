import { join } from 'node:path'
import type { FailedImage } from '../../src/protocol/messages.ts'
import { StateDatabase } from '../../src/state/database.ts'

/** @returns the rows of a query on a worker's database; none while there is no database */
function query(stateDir: string, role: 'detector' | 'reader', sql: string): Record<string, unknown>[] {
  const database = StateDatabase.openReadOnly(join(stateDir, `${role}.sqlite`))
  try {
    return database?.prepare(sql).all() ?? []
  } finally {
    void database?.close()
  }
}

/** The keys that a state directory has durably as answered or as failed. */
export function recordedKeys(stateDir: string): Set<string> {
  const sql = (tables: string[]) => tables.map((table) => `SELECT key FROM ${table}`).join(' UNION ')
  const rows = [
    ...query(stateDir, 'detector', sql(['answers', 'cars', 'failures'])),
    ...query(stateDir, 'reader', sql(['answers', 'outcomes'])),
  ]
  return new Set(rows.map(({ key }) => String(key)))
}

/** Whether a detector's state directory says that a run is done. */
export function isDone(stateDir: string): boolean {
  return doneRun(stateDir) !== undefined
}

/** @returns the newest run that a detector's state directory says is done */
export function doneRun(stateDir: string): string | undefined {
  const [row] = query(stateDir, 'detector', "SELECT run FROM runs WHERE state = 'done' ORDER BY seq DESC")
  return row && String(row.run)
}

/** The images that the detector could not analyse, of all its runs. */
export function detectorFailures(stateDir: string): FailedImage[] {
  const rows = query(stateDir, 'detector', 'SELECT key, reason FROM failures ORDER BY key')
  return rows.map(({ key, reason }) => ({ key: String(key), reason: String(reason) }))
}

/** Rekognition's answers that a worker's database counts. */
export function answeredCalls(stateDir: string, role: 'detector' | 'reader'): number {
  const [row] = query(stateDir, role, 'SELECT coalesce(sum(answered), 0) AS count FROM calls')
  return Number(row?.count ?? 0)
}

export interface RecordedRun {
  readonly run: string
  readonly state: string
  /** position in the order of publication; 0 = not published */
  readonly published: number
}

/** The runs that a reader's state directory knows, in the order in which they were opened. */
export function recordedRuns(stateDir: string): RecordedRun[] {
  const rows = query(stateDir, 'reader', 'SELECT run, state, published FROM runs ORDER BY seq')
  return rows.map(({ run, state, published }) => ({
    run: String(run),
    state: String(state),
    published: Number(published ?? 0),
  }))
}
