import { accessSync, chmodSync, closeSync, constants, openSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { ImgpipeError } from '../host/exit-codes.ts'
import { databaseError, sqlite, sqliteCode, startAgain } from './sqlite-errors.ts'

/** Others hold the database for moments only: readers while they recover a WAL that a killed worker left. */
const readerBusyMs = 5000
/** SQLite waits on the event loop's thread: a lock that lasts longer is waited for beside it (StateDatabase). */
const writerBusyMs = 1000
const fileMode = 0o644

// Checkpoints come every 4 MB; a WAL that a long reading let grow is cut back by the next one.
const writerPragmas = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA cache_size = -8000;
  PRAGMA wal_autocheckpoint = 1000;
  PRAGMA journal_size_limit = 8000000;
  PRAGMA foreign_keys = OFF;
`

/**
 * @param schema DDL for a database that is created now
 * @throws {ImgpipeError} `disk` for another schema version; otherwise what SQLite or the file system throws
 */
export function openWriter(path: string, schema: string, version: number): DatabaseSync {
  createReadable(path)
  const database = new DatabaseSync(path, { timeout: writerBusyMs })
  try {
    database.exec(writerPragmas)
    if (isEmpty(database)) createSchema(database, schema, version)
    const found = userVersion(database)
    if (found !== version) throw wrongVersion(path, found, version)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Status reads the file as any user, whatever the umask; SQLite gives the mode to `-wal` and `-shm` too. */
function createReadable(path: string): void {
  createFile(path, fileMode)
  if ((statSync(path).mode & 0o777) !== fileMode) chmodSync(path, fileMode)
}

/**
 * Creates an empty file, which SQLite takes for an empty database. One that exists is not even opened: POSIX takes all
 * locks of the process on a file away when it closes any descriptor of it.
 */
export function createFile(path: string, mode: number): void {
  try {
    closeSync(openSync(path, 'wx', mode))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    accessSync(path, constants.R_OK | constants.W_OK)
  }
}

function createSchema(database: DatabaseSync, schema: string, version: number): void {
  database.exec(`BEGIN IMMEDIATE;\n${schema}\n;PRAGMA user_version = ${version}; COMMIT`)
}

/** Reads the schema, so that one that is corrupt is found at the start. */
function isEmpty(database: DatabaseSync): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined && userVersion(database) === 0
}

function userVersion(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()?.user_version)
}

function wrongVersion(path: string, found: number, needed: number): ImgpipeError {
  const what = `The database ${path} is of another version of imgpipe (schema ${found}, this version needs ${needed})`
  return new ImgpipeError('disk', `${what}: ${startAgain(path)}.`)
}

/**
 * A database in WAL mode is read together with `-wal` and `-shm`. Both exist while a worker runs and after it was killed;
 * a worker that closed the database has removed them, and a reader who may not create them reads the file by itself
 * (`immutable`: nobody changes it). The owner creates them, which keeps the reading right if a worker starts meanwhile;
 * files of another user would lock the worker out.
 *
 * @returns undefined when there is no such file, or nothing was ever written to it
 * @throws {ImgpipeError} `permission` when the file may not be read, `disk` when it is corrupt or of another version
 */
export function openReader(path: string, version: number | undefined): DatabaseSync | undefined {
  if (!canRead(path)) return undefined
  try {
    return checkVersion(openWithoutWriting(path), path, version)
  } catch (error) {
    throw databaseError(path, error)
  }
}

function canRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw notPermitted(`${path} cannot be read`, error)
  }
}

function openWithoutWriting(path: string): DatabaseSync {
  if (!mayCreateFilesOf(path) && walBytes(path) === undefined) return openImmutable(path)
  try {
    return openLive(path)
  } catch (error) {
    const code = sqliteCode(error)
    if (code !== sqlite.readOnly && code !== sqlite.cannotOpen) throw error
    // Without `-shm`, what is only in `-wal` cannot be read.
    if (walBytes(path))
      throw notPermitted(`${path} cannot be read until its worker has been started again`, error)
    return openImmutable(path)
  }
}

function mayCreateFilesOf(path: string): boolean {
  const user = process.geteuid?.()
  return user === 0 || user === statSync(path).uid
}

function walBytes(path: string): number | undefined {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size
}

function openLive(path: string): DatabaseSync {
  return checked(new DatabaseSync(path, { readOnly: true, timeout: readerBusyMs }))
}

function openImmutable(path: string): DatabaseSync {
  const url = pathToFileURL(path)
  url.searchParams.set('immutable', '1')
  return checked(new DatabaseSync(url, { readOnly: true }))
}

/** SQLite opens files at the first reading. */
function checked(database: DatabaseSync): DatabaseSync {
  try {
    database.prepare('SELECT count(*) FROM sqlite_schema').get()
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** @returns undefined, and the database closed, when nothing was ever written */
function checkVersion(
  database: DatabaseSync,
  path: string,
  version: number | undefined,
): DatabaseSync | undefined {
  const found = userVersion(database)
  if (found !== 0 && (version ?? found) === found) return database
  database.close()
  if (found === 0 || version === undefined) return undefined
  throw wrongVersion(path, found, version)
}

function notPermitted(what: string, error: unknown): ImgpipeError {
  const why = error instanceof Error ? error.message : String(error)
  const remedy = "run the command as root or as the worker's user"
  return new ImgpipeError('permission', `${what} by this user (${why}): ${remedy}.`, { cause: error })
}
