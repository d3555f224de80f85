import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { WaitForSpace } from '../host/disk.ts'
import { sleep } from '../host/shutdown.ts'
import { openReader, openWriter } from './open-database.ts'
import { databaseError, isDatabaseFailure, writeObstacle } from './sqlite-errors.ts'

// A worker's state, in one SQLite database with group commit.
//
// idle ── commit() ──► lingering ── 2 ms ──► committing ── COMMIT has returned ──► pausing ──► idle, or committing again
//                                              │     ▲
//                    no space left, or locked: ▼     │ 'retry'
//                                            waiting ┘  ── 'stop' ──► every pending write is rejected
//
// SQLite works on the event loop's thread, and a commit takes as long as the disk takes to sync. The pause is four times
// as long as the commit before it, so the loop keeps four fifths of its time on a slow disk too, and the writes of the
// meantime share the next commit.

export interface StateDatabaseOptions {
  readonly path: string
  /** DDL, executed once: when the database is created */
  readonly schema: string
  /** kept in `user_version`, from 1; a database of another version is not used */
  readonly version: number
  /** pauses before it says 'retry', and says 'stop' when the process shuts down */
  readonly waitForSpace: WaitForSpace
}

interface PendingWrite {
  run(): void
  resolve(): void
  reject(error: unknown): void
}

/** A write that failed for a reason of its own, such as a constraint: the other writes of its group go on without it. */
class WriteError extends Error {
  readonly write: PendingWrite

  constructor(write: PendingWrite, cause: unknown) {
    super('a write failed', { cause })
    this.write = write
  }
}

/** Rows that one statement reads or deletes at most where a table may have a million. */
export const rowsAtOnce = 1000
const lingerMs = 2
const pauseFactor = 4
/** A commit costs CPU time of its own: below this pause, 700 rows/s cost twice as much. */
const minPauseMs = 10
const maxPauseMs = 250
/** Writes of one transaction block the event loop; those that are left take part in the next one. */
const maxGroupMs = 20

/** @returns how long the event loop is left to others after a commit of that duration */
export function pauseAfterCommit(commitMs: number): number {
  return Math.min(maxPauseMs, Math.max(minPauseMs, pauseFactor * commitMs))
}

export class StateDatabase {
  readonly #database: DatabaseSync
  readonly #path: string
  readonly #waitForSpace: WaitForSpace | undefined
  readonly #statements = new Map<string, StatementSync>()
  readonly #closing = new AbortController()
  #pending: PendingWrite[] = []
  #committing: Promise<void> | undefined

  private constructor(database: DatabaseSync, path: string, waitForSpace?: WaitForSpace) {
    this.#database = database
    this.#path = path
    this.#waitForSpace = waitForSpace
  }

  /**
   * Opens or creates the database; its directory must exist, and the caller holds the state directory's lock. Waits
   * while the disk is full or another program has locked the database.
   *
   * @throws {ImgpipeError} `disk` when the file is corrupt, of another schema version or cannot be used, and when
   *   `waitForSpace` says 'stop'
   */
  static async open(options: StateDatabaseOptions): Promise<StateDatabase> {
    const { path, schema, version, waitForSpace } = options
    for (;;) {
      try {
        return new StateDatabase(openWriter(path, schema, version), path, waitForSpace)
      } catch (error) {
        const obstacle = writeObstacle(path, error)
        if (!obstacle || (await waitForSpace(path, obstacle)) === 'stop') throw databaseError(path, error)
      }
    }
  }

  /**
   * Opens the database for a short reading: open, query, close, without waiting in between. It needs no more than read
   * permission, shows what is committed whether the worker runs, has ended or was killed, and never disturbs it.
   *
   * @param version the schema version that the caller can read; undefined for any
   * @returns undefined when nothing was ever written
   * @throws {ImgpipeError} `permission` when the file may not be read, `disk` when it is corrupt or of another version
   */
  static openReadOnly(path: string, version?: number): StateDatabase | undefined {
    const database = openReader(path, version)
    return database && new StateDatabase(database, path)
  }

  /**
   * Runs `write` inside the next transaction, in the order of the calls.
   *
   * A transaction that fails is run again, so `write` may be called more than once: it must do nothing but execute
   * statements and compute its result, synchronously, and begin or end no transaction.
   *
   * @returns the result of `write`, once it is durable: COMMIT has returned, and the WAL is synced
   * @throws {ImgpipeError} `disk` when the database failed; every other pending write is rejected too
   * @throws what `write` throws; the other writes are not affected by it
   */
  commit<T>(write: () => T): Promise<T> {
    if (this.#closing.signal.aborted || this.#waitForSpace === undefined)
      return Promise.reject(new Error(`${this.#path} is closed or open for reading only`))
    return new Promise<T>((resolve, reject) => {
      let result: T
      const run = () => {
        result = write()
      }
      this.#pending.push({ run, resolve: () => resolve(result), reject })
      this.#committing ??= this.#commitPending()
    })
  }

  /**
   * Deletes rows a thousand per commit: a million at once would block the event loop.
   *
   * @param sql a DELETE that takes `rowsAtOnce` rows at most each time it runs
   */
  async deleteInParts(sql: string, ...parameters: SQLInputValue[]): Promise<void> {
    const statement = this.prepare(sql)
    while (Number((await this.commit(() => statement.run(...parameters))).changes) > 0);
  }

  /**
   * A statement, compiled once for each SQL text and then shared: finish one reading of it before the next begins.
   * `iterate` keeps the WAL from being cut back until it has ended.
   */
  prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  /**
   * Runs queries outside of a commit.
   *
   * @throws {ImgpipeError} `disk` when the database fails, such as a corrupt page that nobody has read before
   */
  read<T>(query: () => T): T {
    try {
      return query()
    } catch (error) {
      throw isDatabaseFailure(error) ? databaseError(this.#path, error) : error
    }
  }

  /** Commits what is pending, then closes. Idempotent. What waits for space ends when `waitForSpace` says 'stop'. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#committing
    if (this.#database.isOpen) this.#database.close()
  }

  /** Never rejects: every write gets its own answer. */
  async #commitPending(): Promise<void> {
    await sleep(lingerMs, this.#closing.signal)
    while (this.#pending.length > 0) {
      const startedAt = performance.now()
      let commitMs = 0
      try {
        const written = this.#commitGroup()
        commitMs = performance.now() - startedAt
        for (const write of this.#pending.splice(0, written)) write.resolve()
      } catch (error) {
        commitMs = performance.now() - startedAt
        await this.#handle(error)
      }
      await sleep(pauseAfterCommit(commitMs), this.#closing.signal)
    }
    this.#committing = undefined
  }

  /** @returns how many of the pending writes are durable now; none are when it throws */
  #commitGroup(): number {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      const written = this.#runPending()
      this.#database.exec('COMMIT')
      return written
    } catch (error) {
      // SQLite has rolled back by itself after some errors.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
  }

  #runPending(): number {
    const until = performance.now() + maxGroupMs
    let written = 0
    for (const write of this.#pending) {
      if (written > 0 && performance.now() > until) break
      this.#run(write)
      written++
    }
    return written
  }

  #run(write: PendingWrite): void {
    try {
      write.run()
    } catch (error) {
      throw isDatabaseFailure(error) ? error : new WriteError(write, error)
    }
    // What would follow a transaction that has ended inside of a write would be committed row by row.
    if (!this.#database.isTransaction) throw new WriteError(write, new Error('a write ended its transaction'))
  }

  /** Afterwards the pending writes can be tried again; those that cannot are rejected. */
  async #handle(error: unknown): Promise<void> {
    if (error instanceof WriteError) {
      this.#pending.splice(this.#pending.indexOf(error.write), 1)
      return error.write.reject(error.cause)
    }
    if (await this.#isPassable(error)) return
    const failure = databaseError(this.#path, error)
    for (const write of this.#pending.splice(0)) write.reject(failure)
  }

  /** Waits for an obstacle to pass. @returns whether the writes are to be tried again */
  async #isPassable(error: unknown): Promise<boolean> {
    const obstacle = writeObstacle(this.#path, error)
    if (!obstacle) return false
    return (await this.#waitForSpace?.(this.#path, obstacle).catch(() => 'stop')) === 'retry'
  }
}
