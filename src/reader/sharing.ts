import { TaskPool } from '../flow/task-pool.ts'
import type { Log } from '../host/log.ts'
import { ShutdownError, sleep } from '../host/shutdown.ts'
import type { Outcome, RunEnd } from '../protocol/outcomes.ts'
import { startOfRun } from '../protocol/run-id.ts'
import { publishCopy, readWritten, writeRun } from '../results/publish.ts'
import type { StateDatabase } from '../state/database.ts'
import { readMeta, writeMeta } from '../state/meta.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'
import {
  type FinishedPlace,
  type FinishedRun,
  orderStart,
  type Results,
  type ResultsExchange,
  type SharedEnd,
  unlessNotFound,
} from './exchange.ts'
import type { RunCoordinator, RunSharing } from './run-coordinator.ts'

export interface SharedRunsParts {
  readonly stateDir: string
  readonly resultsBucket: string
  readonly keepRuns: number
  readonly exchange: ResultsExchange
  readonly database: StateDatabase
  readonly runs: ReaderRuns
  readonly log: Log
  readonly signal: AbortSignal
  /** positions mean nothing any more */
  readonly onOrderDeleted: () => void
}

/** How often a reader looks whether a run is complete or finished: while it knows of an open one, and otherwise. */
const pollMs = { open: 2_000, idle: 15_000 }
const maxRequests = 32

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
    await this.#join()
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

  putOutcome(run: string, outcome: Outcome): Promise<Outcome> {
    return this.#parts.exchange.putOutcome(run, outcome)
  }

  putEnd(run: string, end: RunEnd): Promise<RunEnd> {
    return this.#parts.exchange.putEnd(run, shared(end))
  }

  async finish(row: ReaderRunRow, known: RunEnd): Promise<void> {
    const { exchange, runs } = this.#parts
    const { run } = row
    // Read before the run can be closed: another reader's entry about it is behind this one, and is found.
    const after = this.#cursor
    // An end that has come while this reader worked alone is not agreed upon.
    const end = 'at' in known ? (known as SharedEnd) : await exchange.putEnd(run, shared(known))
    if (end.abandoned) {
      await exchange.appendFinished(run, 'abandoned', after)
    } else if (await this.#untilComplete(run, end.count)) {
      await this.#fetchOutcomes(row, end.count)
      await this.#writeResults(run, end)
      await exchange.appendFinished(run, 'complete', after)
    }
    this.#wake.resolve()
    if (runs.get(run)?.state === 'open') await this.#untilClosed(run)
  }

  get #cursor(): FinishedPlace {
    return readCursor(this.#parts.database, this.#parts.resultsBucket)
  }

  /** Inside a commit. */
  #setCursor({ position, etag }: FinishedPlace): void {
    const { database, resultsBucket } = this.#parts
    writeMeta(database, `exchange-cursor ${resultsBucket}`, JSON.stringify({ position, etag }))
  }

  /** @returns the places that this reader has not followed yet */
  async #newPlaces(): Promise<FinishedPlace[]> {
    const { exchange, database, log, resultsBucket, onOrderDeleted } = this.#parts
    const places = await exchange.finishedAfter(this.#cursor)
    if (places) return places
    log.warn(
      `the order of finished runs in the results bucket "${resultsBucket}" was deleted: following the new one`,
    )
    await database.commit(() => {
      this.#setCursor(orderStart)
      writeMeta(database, `published-position ${resultsBucket}`, undefined)
      if (readMeta(database, `once-baseline ${resultsBucket}`) !== undefined)
        writeMeta(database, `once-baseline ${resultsBucket}`, '0')
    })
    onOrderDeleted()
    return (await exchange.finishedAfter(orderStart)) ?? []
  }

  /**
   * Outcomes that were recorded while this reader worked alone are written to the exchange: their messages are deleted, so
   * that nobody else can. From then on an outcome is there before it is recorded here.
   */
  async #join(): Promise<void> {
    const { runs } = this.#parts
    for (const row of runs.open()) {
      // Messages of other implementations are not shared.
      if (row.isForeign) continue
      for (let some = runs.outcomesAbove(row.seq, 0); some.length > 0; ) {
        await this.#putMissing(row.run, some)
        some = runs.outcomesAbove(row.seq, some.at(-1)?.n ?? 0)
      }
    }
  }

  /** @param outcomes in the order of their numbers */
  async #putMissing(run: string, outcomes: readonly Outcome[]): Promise<void> {
    const { exchange, signal } = this.#parts
    const last = outcomes.at(-1)?.n ?? 0
    const known = new Set<number>()
    for (let after = (outcomes[0]?.n ?? 1) - 1; after < last; ) {
      const numbers = await exchange.outcomeNumbers(run, after)
      for (const n of numbers) known.add(n)
      after = numbers.at(-1) ?? last
    }
    const missing = outcomes.filter(({ n }) => !known.has(n))
    await forEach(missing, signal, async (outcome) => {
      await exchange.putOutcome(run, outcome)
    })
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
    const { exchange, runs, database, signal } = this.#parts
    await forEach([...runs.missing(row.seq, count)], signal, async (n) => {
      const outcome = await exchange.outcome(row.run, n)
      await database.commit(() => runs.addOutcome(row.seq, outcome, 'none'))
    })
  }

  /** Whoever does this, and however often, writes the same bytes: nothing in them depends on the reader. */
  async #writeResults(run: string, end: SharedEnd): Promise<void> {
    const { exchange, runs, stateDir } = this.#parts
    const row = runs.get(run)
    if (!row || !this.#coordinator) return
    const finishedAt = Math.max(end.at, runs.newestOutcomeAt(row.seq))
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
    const finished: FinishedRun[] = []
    const places = await this.#newPlaces()
    await forEach(places, signal, async ({ position, etag }) => {
      const entry = await unlessNotFound(exchange.finished(position))
      if (entry) finished.push({ ...entry, etag })
    })
    finished.sort((a, b) => a.position - b.position)
    const kept = new Set([...new Set(newestFirst(finished).map(({ run }) => run))].slice(0, keepRuns))
    for (const entry of finished) {
      if (signal.aborted) return
      await this.#close(coordinator, entry, kept.has(entry.run))
      await database.commit(() => this.#setCursor(entry))
    }
  }

  /** @param isKept others would be deleted at once */
  async #close(coordinator: RunCoordinator, entry: FinishedRun, isKept: boolean): Promise<void> {
    const { run, state } = entry
    const row = await this.#parts.runs.begin(run)
    if (row.state === 'open') {
      if (state === 'abandoned') await coordinator.abandon(row, 'its detector started another run')
      else if (isKept) await this.#publish(coordinator, row, entry)
      else await coordinator.closeWithoutResults(row)
    }
    this.#closed.get(run)?.resolve()
    this.#closed.delete(run)
  }

  /** The position is kept in the same commit: `read --once` that is killed after it is continued from there. */
  async #publish(coordinator: RunCoordinator, row: ReaderRunRow, place: FinishedPlace): Promise<void> {
    const { stateDir, runs, log, resultsBucket } = this.#parts
    const results = await this.#results(row.run)
    if (!results) {
      log.warn(`the results of run ${row.run} are no longer in the results bucket "${resultsBucket}"`)
      return coordinator.closeWithoutResults(row)
    }
    await coordinator.publishInTurn(() =>
      publishCopy(stateDir, row.run, results, { isNewest: runs.isNewest(row.seq) }),
    )
    await coordinator.close(row, place.position, () => {
      this.#setCursor(place)
      writeMeta(this.#parts.database, `published-position ${resultsBucket}`, String(place.position))
    })
  }

  /** @returns undefined when somebody has deleted them, such as a lifecycle rule of the bucket */
  async #results(run: string): Promise<Results | undefined> {
    return unlessNotFound(this.#parts.exchange.results(run))
  }
}

/** How far a reader has followed the order of finished runs. */
export function readCursor(database: StateDatabase, resultsBucket: string): FinishedPlace {
  const stored = readMeta(database, `exchange-cursor ${resultsBucket}`)
  return stored === undefined ? orderStart : JSON.parse(stored)
}

function shared(end: RunEnd): SharedEnd {
  return { ...end, at: Date.now() }
}

/** Complete runs in the order in which `keepRuns` keeps them. @param finished in the order of their positions */
function newestFirst(finished: readonly FinishedRun[]): FinishedRun[] {
  const complete = finished.filter(({ state }) => state === 'complete').reverse()
  const start = ({ run }: FinishedRun) => startOfRun(run)
  // Sorting is stable: of runs that began within a second, the one that was finished last comes first.
  return complete.sort((a, b) => Number(start(a) < start(b)) - Number(start(a) > start(b)))
}

/** @throws {ShutdownError} when the signal aborts before all items are done. @throws the first error of any item */
async function forEach<Item>(
  items: readonly Item[],
  signal: AbortSignal,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const pool = new TaskPool(() => maxRequests)
  for (const item of items) {
    while (!(await pool.waitForSlot(Number.MAX_SAFE_INTEGER)));
    if (signal.aborted) break
    pool.start(() => work(item))
  }
  await pool.waitUntilIdle(Number.MAX_SAFE_INTEGER)
  if (signal.aborted) throw new ShutdownError()
}
