import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { isDiskFull, type WriteObstacle } from '../host/disk.ts'
import { ImgpipeError } from '../host/exit-codes.ts'

/** Primary result codes, https://www.sqlite.org/rescode.html */
export const sqlite = {
  error: 1,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  misuse: 21,
  range: 25,
  notADatabase: 26,
} as const

/** Codes that say something about a statement or its values, not about the database. */
const statementCodes: ReadonlySet<number> = new Set([
  sqlite.error,
  sqlite.tooBig,
  sqlite.constraint,
  sqlite.mismatch,
  sqlite.misuse,
  sqlite.range,
])

/** Larger than what SQLite asks of a file system at once when it reports an error that is not SQLITE_FULL. */
const probeBytes = 64 * 1024

/** @returns SQLite's primary result code, undefined for errors that are not SQLite's */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return undefined
  return error.errcode & 0xff
}

/** @returns whether the database itself failed, rather than the program that uses it */
export function isDatabaseFailure(error: unknown): boolean {
  const code = sqliteCode(error)
  return code !== undefined && !statementCodes.has(code)
}

/** @returns what keeps the database from being written and may pass by itself; undefined for every other error */
export function writeObstacle(path: string, error: unknown): WriteObstacle | undefined {
  if (sqliteCode(error) === sqlite.busy) return 'locked'
  return isOutOfSpace(path, error) ? 'full' : undefined
}

/**
 * SQLite reports a write that finds no space as SQLITE_FULL, but a quota, a file that cannot be created and an index
 * that cannot grow (`-shm`) as an I/O error or as "cannot open", and it does not pass the system's error on: then only a
 * write tells.
 */
function isOutOfSpace(path: string, error: unknown): boolean {
  const code = sqliteCode(error)
  if (code === undefined) return isDiskFull(error)
  if (code === sqlite.full) return true
  return (code === sqlite.ioError || code === sqlite.cannotOpen) && cannotWriteMore(path)
}

/** @returns the failure of a database as the sentence that ends the program: cause and remedy */
export function databaseError(path: string, error: unknown): ImgpipeError {
  if (error instanceof ImgpipeError) return error
  return new ImgpipeError('disk', explain(path, error), { cause: error })
}

function explain(path: string, error: unknown): string {
  const why = causeOf(error)
  switch (sqliteCode(error)) {
    case sqlite.corrupt:
    case sqlite.notADatabase:
      return `The database ${path} is corrupt (${why}): ${startAgain(path)}.`
    case sqlite.busy:
      return `The database ${path} is locked by another program (${why}): end that one, then start again.`
    case sqlite.full:
      return `The disk is full, ${path} cannot grow (${why}): free some space on that disk, then start again.`
    default:
      return `The database ${path} cannot be used (${why}): check the disk and the permissions of the file and its directory, then start again.`
  }
}

/** The remedy for a database that can no longer be used. */
export function startAgain(path: string): string {
  return `move it away together with ${path}-wal and ${path}-shm, and start again: what it held is paid for again`
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'errcode' in error ? `${error.message}, SQLite result code ${error.errcode}` : error.message
}

function cannotWriteMore(path: string): boolean {
  const probe = `${path}-probe`
  let file: number | undefined
  try {
    file = openSync(probe, 'w')
    writeSync(file, Buffer.alloc(probeBytes))
    fsyncSync(file)
    return false
  } catch (error) {
    return isDiskFull(error)
  } finally {
    if (file !== undefined) closeSync(file)
    rmSync(probe, { force: true })
  }
}
