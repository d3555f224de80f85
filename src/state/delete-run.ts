import { ImgpipeError } from '../host/exit-codes.ts'
import { StateDatabase } from './database.ts'
import { DetectorRuns } from './detector-runs.ts'
import { lockStateDirectory, type StateLock } from './lock.ts'
import { ReaderRuns } from './reader-runs.ts'
import { databasePath, type Role } from './role.ts'
import { withDatabase } from './run-status.ts'
import { detectorSchema, readerSchema, schemaVersion } from './schema.ts'

// A person deletes a run while the workers may be running: through a second connection, in transactions of a few
// milliseconds, which SQLite lets take turns with the worker's. No worker holds anything in memory about closed runs; a
// reader does about one that is open, so that it has to be stopped before one is given up.

/**
 * Deletes a run from both databases of a state directory; one that the reader has not completed is given up. Its answers
 * stay: they belong to the images. The reader keeps the run's ID, because SQS may deliver its messages once more, which
 * would begin it again.
 *
 * @param deleteFiles deletes the run's results, before its rows: if it fails, the run can be deleted again
 * @returns whether there was such a run
 * @throws {ImgpipeError} `usage` when the detector has not finished the run, a running reader has it open, or results.txt
 *   shows it; `permission`, `disk`
 */
export async function deleteRun(
  stateDir: string,
  run: string,
  deleteFiles: () => Promise<void>,
): Promise<boolean> {
  const lock = (await isOpenOnReader(stateDir, run)) ? lockReader(stateDir, run) : undefined
  try {
    const isKnown = {
      detector: await withDatabase(stateDir, 'detector', (database) => canDeleteDetectorRun(database, run)),
      reader: await withDatabase(stateDir, 'reader', (database) => canDeleteReaderRun(database, run)),
    }
    if (!isKnown.detector && !isKnown.reader) return false
    await deleteFiles()
    if (isKnown.detector)
      await withWriter(stateDir, 'detector', (database) => deleteDetectorRun(database, run))
    if (isKnown.reader) await withWriter(stateDir, 'reader', (database) => deleteReaderRun(database, run))
    return true
  } finally {
    lock?.release()
  }
}

function isOpenOnReader(stateDir: string, run: string): Promise<boolean> {
  return withDatabase(
    stateDir,
    'reader',
    (database) => database?.read(() => new ReaderRuns(database).get(run))?.state === 'open',
  )
}

/** Keeps the reader from starting. @throws {ImgpipeError} `usage` while it runs */
function lockReader(stateDir: string, run: string): StateLock {
  try {
    return lockStateDirectory(stateDir, 'reader')
  } catch (error) {
    if (!(error instanceof ImgpipeError && error.reason === 'interrupted')) throw error
    const message = `Run ${run} is not complete, and the reader that is running has it open: stop the reader, delete the run, and start the reader again.`
    throw new ImgpipeError('usage', message, { cause: error })
  }
}

function canDeleteDetectorRun(database: StateDatabase | undefined, run: string): boolean {
  const row = database?.read(() => new DetectorRuns(database).get(run))
  if (row?.state === 'open' || row?.state === 'ended') {
    const message = `Run ${run} is not finished on this host's detector: "imgpipe detect" resumes it.`
    throw new ImgpipeError('usage', message)
  }
  return row !== undefined
}

function canDeleteReaderRun(database: StateDatabase | undefined, run: string): boolean {
  if (!database) return false
  const runs = new ReaderRuns(database)
  const [row, latest] = database.read(() => [runs.get(run), runs.latest()])
  if (row && row.seq === latest?.seq) {
    throw new ImgpipeError(
      'usage',
      `Run ${run} is the one that results.txt shows: delete it when a later run is complete.`,
    )
  }
  return row !== undefined && !(row.state === 'complete' && row.published === undefined)
}

/** The worker's own commits are short: a database that is locked for longer is another program's. */
const maxLockWaits = 5

/** A closed run stays closed, and an open one is locked, so that what was checked above still holds. */
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

/** The row stays, and closed. */
async function deleteReaderRun(database: StateDatabase, run: string): Promise<void> {
  const runs = new ReaderRuns(database)
  const seq = runs.get(run)?.seq
  if (seq === undefined) return
  await database.commit(() => runs.setDeleted(seq))
  await runs.deleteDetails()
}
