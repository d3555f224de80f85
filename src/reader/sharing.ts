import { TaskPool } from '../flow/task-pool.ts'
import type { Log } from '../host/log.ts'
import { ShutdownError, sleep } from '../host/shutdown.ts'
import type { Outcome, RunEnd } from '../protocol/outcomes.ts'
import { publishCopy, readWritten, writeRun } from '../results/publish.ts'
import type { StateDatabase } from '../state/database.ts'
import { readMeta, writeMeta } from '../state/meta.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'
import type { FinishedRun, ResultsExchange, SharedEnd } from './exchange.ts'
import type { RunCoordinator, RunSharing } from './run-coordinator.ts'

export interface SharedRunsParts {
  readonly stateDir: string
  readonly keepRuns: number
  readonly exchange: ResultsExchange
  readonly database: StateDatabase
  readonly runs: ReaderRuns
  readonly log: Log
  readonly signal: AbortSignal
}

/** How often a reader looks whether a run is complete or finished: while it knows of an open one, and otherwise. */
const pollMs = { open: 2_000, idle: 15_000 }
const maxFetches = 32

/**
 * The runs that several readers share. Whoever holds a run's end message watches the exchange until it has all outcomes,
 * writes the results there, and only then deletes the message: if it dies, another reader gets the message. Every reader
 * follows the order of finished runs from where it was, however long it was away.
 */
export class SharedRuns implements RunSharing {
  readonly #parts: SharedRunsParts
  readonly #closed = new Map<string, PromiseWithResolvers<void>>()
  #coordinator: RunCoordinator | undefined
  #wake = Promise.withResolvers<void>()

  constructor(parts: SharedRunsParts) {
    this.#parts = parts
  }

  /** Follows the order of finished runs until the signal aborts. @throws what cannot be retried */
  async follow(coordinator: RunCoordinator): Promise<void> {
    this.#coordinator = coordinator
    const { signal, runs } = this.#parts
    while (!signal.aborted) {
      await this.#catchUp(coordinator)
      const ms = runs.open().length > 0 ? pollMs.open : pollMs.idle
      this.#wake = Promise.withResolvers()
      await Promise.race([sleep(ms, signal), this.#wake.promise])
    }
  }

  hasOutcome(run: string, n: number): Promise<boolean> {
    return this.#parts.exchange.hasOutcome(run, n)
  }

  putOutcome(run: string, outcome: Outcome): Promise<void> {
    return this.#parts.exchange.putOutcome(run, outcome)
  }

  putEnd(run: string, end: RunEnd): Promise<RunEnd> {
    return this.#parts.exchange.putEnd(run, { ...end, at: Date.now() })
  }

  async finish(row: ReaderRunRow, end: RunEnd): Promise<void> {
    const { exchange, runs } = this.#parts
    const { run } = row
    if (end.abandoned) {
      await exchange.appendFinished(run, 'abandoned', this.#cursor)
    } else if (await this.#untilComplete(run, end.count)) {
      await this.#fetchOutcomes(row, end.count)
      await this.#writeResults(run, end)
      await exchange.appendFinished(run, 'complete', this.#cursor)
    }
    this.#wake.resolve()
    if (runs.get(run)?.state === 'open') await this.#untilClosed(run)
  }

  get #cursor(): number {
    return Number(readMeta(this.#parts.database, 'exchange-cursor') ?? 0)
  }

  /** Until the exchange has the outcomes 1 … count. @returns false when another reader has finished the run meanwhile */
  async #untilComplete(run: string, count: number): Promise<boolean> {
    const { exchange, runs, signal } = this.#parts
    for (let complete = 0; complete < count; ) {
      if (runs.get(run)?.state !== 'open') return false
      const numbers = await exchange.outcomeNumbers(run, complete)
      const before = complete
      // What lies before the first gap is not listed again.
      for (const n of numbers) if (n === complete + 1) complete = n
      if (complete >= count) return true
      if (complete === before || numbers.length < 1000) await sleep(pollMs.open, signal)
      if (signal.aborted) throw new ShutdownError()
    }
    return true
  }

  /** Brings the outcomes of other readers into the database. */
  async #fetchOutcomes(row: ReaderRunRow, count: number): Promise<void> {
    const { exchange, runs, database } = this.#parts
    const pool = new TaskPool(() => maxFetches)
    for (const n of [...runs.missing(row.seq, count)]) {
      while (!(await pool.waitForSlot(Number.MAX_SAFE_INTEGER)));
      pool.start(async () => {
        const outcome = await exchange.outcome(row.run, n)
        await database.commit(() => runs.addOutcome(row.seq, outcome, 'none'))
      })
    }
    await pool.waitUntilIdle(Number.MAX_SAFE_INTEGER)
  }

  /** Whoever does this, and however often, writes the same bytes: nothing in them depends on the reader. */
  async #writeResults(run: string, end: RunEnd): Promise<void> {
    const { exchange, runs, stateDir } = this.#parts
    const row = runs.get(run)
    if (!row || !this.#coordinator) return
    const finishedAt = Math.max((end as SharedEnd).at, runs.newestOutcomeAt(row.seq))
    const head = {
      ...this.#coordinator.head(row, end, finishedAt),
      calls: {},
      reused: 0,
      requests: {},
    }
    const results = await this.#coordinator.publishInTurn(async () => {
      await writeRun(stateDir, head, runs.outcomes(row.seq, end.count))
      return readWritten(stateDir, run)
    })
    await exchange.putResults(run, results)
  }

  #untilClosed(run: string): Promise<void> {
    const closed = this.#closed.get(run) ?? Promise.withResolvers<void>()
    this.#closed.set(run, closed)
    const { signal } = this.#parts
    const aborted = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(new ShutdownError())
      signal.addEventListener('abort', () => reject(new ShutdownError()), { once: true })
    })
    return Promise.race([closed.promise, aborted])
  }

  async #catchUp(coordinator: RunCoordinator): Promise<void> {
    const { exchange, database, keepRuns, signal } = this.#parts
    const positions = await exchange.finishedPositions(this.#cursor)
    for (const [place, position] of positions.entries()) {
      if (signal.aborted) return
      // Older ones would be deleted at once.
      const isKept = positions.length - place <= keepRuns
      await this.#close(coordinator, await exchange.finished(position), isKept)
      await database.commit(() => writeMeta(database, 'exchange-cursor', String(position)))
    }
  }

  async #close(
    coordinator: RunCoordinator,
    { run, state, position }: FinishedRun,
    isKept: boolean,
  ): Promise<void> {
    const { exchange, stateDir, runs } = this.#parts
    const row = await runs.begin(run)
    if (row.state === 'open' && state === 'abandoned') {
      await coordinator.abandon(row, 'its detector started another run')
    } else if (row.state === 'open') {
      if (isKept) {
        const results = await exchange.results(run)
        const isNewest = runs.isNewest(row.seq)
        await coordinator.publishInTurn(() => publishCopy(stateDir, run, results, { isNewest }))
      }
      await coordinator.close(row, position)
    }
    this.#closed.get(run)?.resolve()
    this.#closed.delete(run)
  }
}
