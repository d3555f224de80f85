import { accessSync, constants, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeDurableDirectorySync } from '../host/directories.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { createFile } from './open-database.ts'
import { sqlite, sqliteCode } from './sqlite-errors.ts'

// The lock is an exclusive SQLite transaction on `<role>.lock`: POSIX locks on an inode, so they hold across containers
// that share the directory, need its permissions, and end with the process. Nothing is ever written to the file, so it
// works on a full disk too.
//
// POSIX takes all locks of a process on a file away as soon as it closes any descriptor of it. SQLite keeps account of
// its own; nothing else in the process may open the file while the lock is held.

type Role = 'detector' | 'reader'

/** How long a start waits for others who hold the lock for a moment, as `isLocked` does. */
const acquireTimeoutMs = 2000

/** A database that is not referred to is closed by the garbage collector, and its lock would go with it. */
const held = new Set<DatabaseSync>()

/** Keeps other workers of the role off the state directory until the process ends. */
export class StateLock {
  readonly #database: DatabaseSync

  /** @param database inside an exclusive transaction */
  constructor(database: DatabaseSync) {
    this.#database = database
    held.add(database)
  }

  /** For processes that outlive their work; otherwise the lock ends with the process. Idempotent. */
  release(): void {
    if (held.delete(this.#database)) this.#database.close()
  }
}

/**
 * Keeps a second worker of the same role off a state directory until this process ends, however it ends. Creates the
 * directory.
 *
 * @throws {ImgpipeError} `interrupted` while another worker holds it (a start after that one's end succeeds), `disk` when
 *   the directory cannot be created or written
 */
export function lockStateDirectory(stateDir: string, role: Role): StateLock {
  const path = lockPath(stateDir, role)
  try {
    makeDurableDirectorySync(stateDir)
    accessSync(stateDir, constants.W_OK | constants.X_OK)
    // Who can open the file can also hold the lock.
    createFile(path, 0o600)
    return acquire(path)
  } catch (error) {
    throw sqliteCode(error) === sqlite.busy ? heldByAnother(stateDir, role) : unusable(stateDir, error)
  }
}

/** @returns whether a worker of the role is running on the directory; undefined when the caller may not look */
export function isLocked(stateDir: string, role: Role): boolean | undefined {
  const path = lockPath(stateDir, role)
  let database: DatabaseSync | undefined
  try {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return false
    database = new DatabaseSync(path, { readOnly: true })
    database.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    const code = sqliteCode(error)
    if (code === sqlite.busy) return true
    return isWrongContent(code) ? false : undefined
  } finally {
    database?.close()
  }
}

function lockPath(stateDir: string, role: Role): string {
  return join(stateDir, `${role}.lock`)
}

function acquire(path: string): StateLock {
  try {
    return begin(path)
  } catch (error) {
    if (!isWrongContent(sqliteCode(error))) throw error
    // SQLite reads the content only when nobody else holds the lock, so nobody loses it by this.
    truncateSync(path)
    return begin(path)
  }
}

function begin(path: string): StateLock {
  const database = new DatabaseSync(path, { timeout: acquireTimeoutMs })
  try {
    // SQLite begins by preparing the first page of an empty database: with a journal file, that needs space.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return new StateLock(database)
  } catch (error) {
    database.close()
    throw error
  }
}

function isWrongContent(code: number | undefined): boolean {
  return code === sqlite.notADatabase || code === sqlite.corrupt
}

function heldByAnother(stateDir: string, role: Role): ImgpipeError {
  return new ImgpipeError(
    'interrupted',
    `Another imgpipe ${role} is already running on ${stateDir}: stop it first, or give this one a stateDir of its own.`,
  )
}

function unusable(stateDir: string, error: unknown): ImgpipeError {
  const why = error instanceof Error ? error.message : String(error)
  return new ImgpipeError(
    'disk',
    `The state directory ${stateDir} cannot be used (${why}): make it and its files writable for this user, or set stateDir to another.`,
    { cause: error },
  )
}
