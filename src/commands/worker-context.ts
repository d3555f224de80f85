import { createClients } from '../aws/clients.ts'
import { areCredentialsFixed } from '../aws/credentials.ts'
import { loadSettings } from '../config/settings.ts'
import { OutageLog } from '../flow/outage-log.ts'
import { isDiskFull, type WaitForSpace, type WriteObstacle } from '../host/disk.ts'
import { readEnvironment } from '../host/environment.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { tuneHeapForLowMemory } from '../host/heap.ts'
import type { LogLevel } from '../host/log.ts'
import { createLog, type Log } from '../host/log.ts'
import { refuseReservedStateDirectory } from '../host/reserved-directories.ts'
import { connectServiceManager } from '../host/service-manager.ts'
import { ShutdownError, shutdownOnSignals, sleep } from '../host/shutdown.ts'
import { StateDatabase } from '../state/database.ts'
import { lockStateDirectory, type StateLock } from '../state/lock.ts'
import { databasePath, type Role } from '../state/role.ts'
import { detectorSchema, readerSchema, schemaVersion } from '../state/schema.ts'
import { databaseError, isDatabaseFailure } from '../state/sqlite-errors.ts'
import { diskWork, type WorkerContext } from '../state/worker.ts'

const schemas = { detector: detectorSchema, reader: readerSchema }
const diskPollMs = 1000
/** Without a wait for so long there is space. */
const diskQuietMs = 3 * diskPollMs
/** How long the service manager is asked to wait for the next sign of life while the disk is full. */
const diskExtensionMs = 60_000

/**
 * Builds what a worker works with, runs it, and releases everything.
 *
 * @throws {ShutdownError} when the process is asked to stop before the worker has started
 * @throws {ImgpipeError} for invalid settings, when another worker of the role is running on the state directory, when its
 *   database cannot be used, and what the worker throws
 */
export async function runWorker(
  role: Role,
  configFile: string | undefined,
  work: (context: WorkerContext) => Promise<void>,
): Promise<void> {
  tuneHeapForLowMemory()
  const settings = loadSettings({ configFile })
  refuseReservedStateDirectory(settings.stateDir)
  const environment = readEnvironment()
  const manager = await connectServiceManager(environment)
  const log = stderrLog(settings.logLevel, environment.logsToJournal)
  const outages = new OutageLog(log)
  const shutdown = shutdownOnSignals()
  const isInteractive = process.stderr.isTTY === true && environment.NOTIFY_SOCKET === undefined
  const host = { settings, log, manager, outages, shutdown, isInteractive }
  const disk = watchDisk(host)
  const { waitForSpace } = disk
  const clients = createClients(settings)
  let lock: StateLock | undefined
  try {
    lock = await lockWhenSpace(settings.stateDir, role, waitForSpace)
    const database = await openDatabase(role, settings.stateDir, shutdown.graceful, waitForSpace)
    const credentialsMs = isInteractive || areCredentialsFixed(process.env) ? 0 : Number.POSITIVE_INFINITY
    try {
      await work({ ...host, clients, database, waitForSpace, credentialsMs })
    } catch (error) {
      // A corrupt page that nobody has read before shows in the middle of the work.
      throw isDatabaseFailure(error) ? databaseError(databasePath(settings.stateDir, role), error) : error
    } finally {
      await database.close()
    }
  } finally {
    disk.end()
    clients.close()
    lock?.release()
  }
}

/** The log of a command, on standard error. */
export function stderrLog(level: LogLevel, toJournal: boolean): Log {
  return createLog({ level, toJournal, write: (line) => process.stderr.write(line) })
}

/** A full disk or a locked database is waited for as long as it takes; the wait is reported, and counts as life. */
function watchDisk({ outages, manager, shutdown }: Pick<WorkerContext, 'outages' | 'manager' | 'shutdown'>) {
  let waitedAt = Number.NEGATIVE_INFINITY
  const waitForSpace: WaitForSpace = async (path, obstacle) => {
    waitedAt = performance.now()
    const sentence = obstacleSentence(path, obstacle)
    outages.wait(diskWork, sentence, { atOnce: true })
    manager.status(sentence)
    manager.alive()
    manager.extendTimeout(diskExtensionMs)
    await sleep(diskPollMs, shutdown.graceful)
    return shutdown.graceful.aborted ? 'stop' : 'retry'
  }
  // Nobody who waits for space reports that there is some again: without a report for a while there is.
  const reportSpace = () => {
    if (performance.now() - waitedAt >= diskQuietMs) outages.succeeded(diskWork)
  }
  const timer = setInterval(reportSpace, diskPollMs)
  return { waitForSpace, end: () => clearInterval(timer) }
}

/** @throws {ShutdownError} {ImgpipeError} */
async function lockWhenSpace(stateDir: string, role: Role, waitForSpace: WaitForSpace): Promise<StateLock> {
  for (;;) {
    try {
      return lockStateDirectory(stateDir, role)
    } catch (error) {
      if (!(error instanceof ImgpipeError) || !isDiskFull(error.cause)) throw error
      if ((await waitForSpace(stateDir, 'full')) === 'stop') throw new ShutdownError()
    }
  }
}

function obstacleSentence(path: string, obstacle: WriteObstacle): string {
  switch (obstacle) {
    case 'full':
      return `disk full, cannot write ${path}: waiting for free space`
    case 'locked':
      return `database ${path} is locked by another program: waiting`
    case 'exhausted':
      return `too many open files or no memory left, cannot write ${path}: waiting`
  }
}

async function openDatabase(
  role: Role,
  stateDir: string,
  graceful: AbortSignal,
  waitForSpace: WaitForSpace,
): Promise<StateDatabase> {
  const path = databasePath(stateDir, role)
  try {
    return await StateDatabase.open({ path, schema: schemas[role], version: schemaVersion, waitForSpace })
  } catch (error) {
    // Only a full disk and a locked database are waited for.
    throw graceful.aborted ? new ShutdownError() : error
  }
}
