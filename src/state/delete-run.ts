import { ImgpipeError } from '../host/exit-codes.ts'
import { StateDatabase } from './database.ts'
import { DetectorRuns } from './detector-runs.ts'
import { ReaderRuns } from './reader-runs.ts'
import { deletedRun } from './reader-status.ts'
import { databasePath, type Role } from './role.ts'
import { withDatabase } from './run-status.ts'
import { detectorSchema, readerSchema, schemaVersion } from './schema.ts'

// A person deletes a run while the workers may be running: through a second connection, in transactions of a few
// milliseconds, which SQLite lets take turns with the worker's. Only closed runs are deleted, and no worker holds
// anything in memory about those.

/**
 * Deletes a finished or abandoned run from both databases of a state directory. Its answers stay: they belong to the
 * images. The reader keeps the run's ID, because SQS may deliver its messages once more, which would begin it again.
 *
 * @param deleteFiles deletes the run's results, before its rows: if it fails, the run can be deleted again
 * @returns whether there was such a run
 * @throws {ImgpipeError} `usage` when the run is not finished, or is the one that results.txt shows; `permission`, `disk`
 */
export async function deleteRun(
  stateDir: string,
  run: string,
  deleteFiles: () => Promise<void>,
): Promise<boolean> {
  const isKnown = {
    detector: await withDatabase(stateDir, 'detector', (database) => canDeleteDetectorRun(database, run)),
    reader: await withDatabase(stateDir, 'reader', (database) => canDeleteReaderRun(database, run)),
  }
  if (!isKnown.detector && !isKnown.reader) return false
  await deleteFiles()
  if (isKnown.detector) await withWriter(stateDir, 'detector', (database) => deleteDetectorRun(database, run))
  if (isKnown.reader) await withWriter(stateDir, 'reader', (database) => deleteReaderRun(database, run))
  return true
}

function canDeleteDetectorRun(database: StateDatabase | undefined, run: string): boolean {
  const row = database?.read(() => new DetectorRuns(database).get(run))
  if (row?.state === 'open' || row?.state === 'ended') throw unfinished(run, 'detector')
  return row !== undefined
}

function canDeleteReaderRun(database: StateDatabase | undefined, run: string): boolean {
  if (!database) return false
  const runs = new ReaderRuns(database)
  const [row, latest] = database.read(() => [runs.get(run), runs.latest()])
  if (row?.state === 'open') throw unfinished(run, 'reader')
  if (row && row.seq === latest?.seq) {
    throw new ImgpipeError(
      'usage',
      `Run ${run} is the one that results.txt shows: delete it when a later run is complete.`,
    )
  }
  return row !== undefined && !(row.state === 'complete' && row.published === undefined)
}

function unfinished(run: string, role: Role): ImgpipeError {
  const remedy =
    role === 'detector'
      ? '"imgpipe detect" resumes it'
      : 'it is complete when all of its messages have come, or abandoned when a later run is complete'
  return new ImgpipeError('usage', `Run ${run} is not finished on this host's ${role}: ${remedy}.`)
}

/** The worker's own commits are short: a database that is locked for longer is another program's. */
const maxLockWaits = 5

/** A closed run stays closed, so that what was checked above still holds. */
async function withWriter(
  stateDir: string,
  role: Role,
  write: (database: StateDatabase) => Promise<void>,
): Promise<void> {
  let lockWaits = 0
  const database = await StateDatabase.open({
    path: databasePath(stateDir, role),
    schema: role === 'detector' ? detectorSchema : readerSchema,
    version: schemaVersion,
    waitForSpace: async (_, obstacle) =>
      obstacle === 'locked' && ++lockWaits < maxLockWaits ? 'retry' : 'stop',
  })
  try {
    await write(database)
  } finally {
    await database.close()
  }
}

async function deleteDetectorRun(database: StateDatabase, run: string): Promise<void> {
  const runs = new DetectorRuns(database)
  const seq = runs.get(run)?.seq
  if (seq !== undefined) await runs.delete(seq)
}

/** What belongs to a closed run has been deleted by the reader already, but for its row and its files. */
async function deleteReaderRun(database: StateDatabase, run: string): Promise<void> {
  const statement = database.prepare(
    `UPDATE runs SET state = 'complete', published = NULL WHERE run = ? AND state <> 'open' AND NOT (${deletedRun})`,
  )
  await database.commit(() => statement.run(run))
}
