import { statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { ImgpipeError } from '../host/exit-codes.ts'
import { StateDatabase } from './database.ts'
import { type DetectorStatus, DetectorStatuses } from './detector-status.ts'
import { isLocked } from './lock.ts'
import { type ReaderStatus, ReaderStatuses } from './reader-status.ts'
import { databasePath, type Role } from './role.ts'
import { schemaVersion } from './schema.ts'
import type { StatusContext } from './status-values.ts'
import { type WorkerStatus, workerStatus } from './worker-status.ts'

/** A run as this host's databases know it: a host that runs one of the workers knows that half. */
export interface RunStatus {
  readonly run: string
  readonly detector: DetectorStatus | undefined
  readonly reader: ReaderStatus | undefined
}

export interface HostStatus {
  /** undefined: that worker has never run on this host */
  readonly detector: WorkerStatus | undefined
  readonly reader: WorkerStatus | undefined
  /** newest first */
  readonly runs: readonly RunStatus[]
}

export interface StatusQuery {
  /** the newest runs, so many at most; default: all that are kept */
  readonly maxRuns?: number | undefined
  /** only this run */
  readonly run?: string | undefined
  /** the setting: closed runs beyond these are remembered by the reader, but no longer kept */
  readonly keepRuns: number
  /** failures per run and worker at most */
  readonly maxFailures: number
}

/**
 * Reads both workers' databases. It needs no more than read permission, and shows what is committed whether a worker
 * runs, has ended or was killed.
 *
 * @param now ms since 1970
 * @throws {ImgpipeError} `permission` when the state directory may not be read, `settings` when it is not a directory,
 *   `disk` when a database is corrupt or of another version
 */
export async function readHostStatus(
  stateDir: string,
  query: StatusQuery,
  now: number = Date.now(),
): Promise<HostStatus> {
  if (!isDirectory(stateDir)) return { detector: undefined, reader: undefined, runs: [] }
  const { maxFailures } = query
  // Before the databases: a worker that ends meanwhile has finished its run, and is not taken for a killed one.
  const contexts = {
    detector: { isRunning: isLocked(stateDir, 'detector'), maxFailures, now },
    reader: { isRunning: isLocked(stateDir, 'reader'), maxFailures, now },
  }
  return withDatabase(stateDir, 'detector', (detector) =>
    withDatabase(stateDir, 'reader', (reader) => hostStatus({ detector, reader }, contexts, query)),
  )
}

/**
 * Opens a worker's database for a moment.
 *
 * @param read gets undefined where that worker has never run
 * @throws {ImgpipeError} `permission`, `disk`
 */
export async function withDatabase<T>(
  stateDir: string,
  role: Role,
  read: (database: StateDatabase | undefined) => T | Promise<T>,
): Promise<T> {
  const database = StateDatabase.openReadOnly(databasePath(stateDir, role), schemaVersion)
  try {
    return await read(database)
  } finally {
    await database?.close()
  }
}

/**
 * Merges two orders of runs, both newest first, into one that contradicts neither. Where they contradict each other the
 * detector's holds; runs that only one of the workers knows are put in order by the UTC time in their IDs.
 */
export function newestFirst(detector: readonly string[], reader: readonly string[]): string[] {
  const known = { detector: new Set(detector), reader: new Set(reader) }
  const order = new Set<string>()
  let [d, r] = [0, 0]
  for (;;) {
    while (order.has(detector[d] ?? '')) d++
    while (order.has(reader[r] ?? '')) r++
    const next = newer(detector[d], reader[r], known)
    if (next === undefined) return [...order]
    order.add(next)
  }
}

function newer(
  mine: string | undefined,
  theirs: string | undefined,
  known: { readonly detector: ReadonlySet<string>; readonly reader: ReadonlySet<string> },
): string | undefined {
  if (mine === undefined || theirs === undefined) return mine ?? theirs
  if (known.detector.has(theirs)) return mine
  if (known.reader.has(mine)) return theirs
  return startOf(theirs) > startOf(mine) ? theirs : mine
}

function startOf(run: string): string {
  return run.replace('foreign-', '')
}

function hostStatus(
  databases: Record<Role, StateDatabase | undefined>,
  contexts: Record<Role, StatusContext>,
  { run, maxRuns, keepRuns }: StatusQuery,
): HostStatus {
  const detector = databases.detector && new DetectorStatuses(databases.detector, contexts.detector)
  const reader = databases.reader && new ReaderStatuses(databases.reader, contexts.reader)
  const newest = {
    detector: detector?.newestRuns(1)[0],
    reader: reader?.newestRuns(1, keepRuns)[0],
  }
  const worker = (role: Role): WorkerStatus | undefined => {
    const database = databases[role]
    return database && { ...workerStatus(database, role, contexts[role]), newestRun: newest[role] }
  }
  const names =
    run === undefined
      ? newestFirst(detector?.newestRuns(maxRuns) ?? [], reader?.newestRuns(maxRuns, keepRuns) ?? [])
      : [run]
  const runs = names
    .slice(0, maxRuns)
    .map((run) => ({ run, detector: detector?.get(run), reader: reader?.get(run) }))
    .filter((status) => status.detector ?? status.reader)
  return { detector: worker('detector'), reader: worker('reader'), runs }
}

function isDirectory(stateDir: string): boolean {
  try {
    const entry = statSync(stateDir, { throwIfNoEntry: false })
    if (!entry || entry.isDirectory()) return entry !== undefined
  } catch (error) {
    throw unreadable(stateDir, error)
  }
  throw new ImgpipeError(
    'settings',
    `The state directory ${stateDir} is a file: correct the setting "stateDir".`,
  )
}

function unreadable(stateDir: string, error: unknown): ImgpipeError {
  const why = error instanceof Error && 'code' in error ? error.code : error
  return new ImgpipeError(
    'permission',
    `The state directory ${stateDir} cannot be read by the user ${userInfo().username} (${why}): run the command as root or as the worker's user.`,
    { cause: error },
  )
}
