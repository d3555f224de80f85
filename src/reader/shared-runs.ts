import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Stopped } from '../aws/retry.ts'
import { type DiskWatch, whenThereIsRoom } from '../daemon/append-log.ts'
import { InTurn } from '../daemon/in-turn.ts'
import type { Log } from '../daemon/log.ts'
import { pause } from '../daemon/stop-signal.ts'
import type { Outcome, RunEnd } from '../protocol/outcomes.ts'
import { Ledger, runFolder } from './ledger.ts'
import { finishedRuns, publishCopy, repairLatest, runsIn, writeRun } from './publish.ts'
import type { RunBook, RunProgress, Standing } from './run-book.ts'
import { gatherOutcomes } from './shared-outcomes.ts'
import type { SharedStore, StoredEnd } from './shared-store.ts'

export interface SharedRunsParts {
  readonly stateDir: string
  readonly bucket: string
  readonly label: string
  readonly log: Log
  readonly watch: DiskWatch
  readonly store: SharedStore
  readonly signal: AbortSignal
  /** a run's results are on this reader's disk */
  readonly onFinished: (run: string) => void
}

/** How often a reader looks whether a run is over: while it knows of an open one, and otherwise. */
const lookMilliseconds = { open: 2_000, idle: 15_000 }

/**
 * The runs that several readers share. The truth is in the store; the ledger on this disk holds this reader's
 * own share of it. Whoever holds a run's end message watches the store, writes the result when all outcomes
 * are there, and only then deletes the message: if it dies, the message goes to another reader. Every reader
 * fetches what has been finished, by whomever.
 */
export class SharedRuns implements RunBook {
  readonly isResumed: boolean
  readonly #parts: SharedRunsParts
  readonly #ledgers = new Map<string, Promise<Ledger>>()
  readonly #closed: Set<string>
  readonly #fetching = new Map<string, Promise<void>>()
  /** all runs share stateDir/results.txt, and a run's temporary files are written here and fetched over */
  readonly #publications = new InTurn()
  readonly #watching: Promise<void>
  #current: Ledger | undefined

  static async open(parts: SharedRunsParts): Promise<SharedRuns> {
    const latest = await repairLatest(parts.stateDir)
    const finished = await finishedRuns(parts.stateDir)
    const isResumed = (await runsIn(parts.stateDir)).length > finished.length
    return new SharedRuns(parts, finished, isResumed, latest?.finishedAt ?? Date.now())
  }

  private constructor(parts: SharedRunsParts, finished: string[], isResumed: boolean, since: number) {
    this.#parts = parts
    this.isResumed = isResumed
    this.#closed = new Set(finished)
    this.#watching = this.#watchForResults(since)
  }

  get progress(): RunProgress | undefined {
    if (!this.#current) return undefined
    const { run, size, texts, failures, end } = this.#current
    return { run, recorded: size, count: end?.count, texts, failures }
  }

  async standing(run: string, n: number): Promise<Standing> {
    if (this.#closed.has(run)) return 'settled'
    const ledger = await this.#ledger(run)
    if (ledger.has(n)) return 'settled'
    if (ledger.end && n > ledger.end.count) return 'contradicted'
    return (await this.#parts.store.hasOutcome(run, n)) ? 'settled' : 'open'
  }

  async record(run: string, outcome: Outcome): Promise<void> {
    await this.#parts.store.putOutcome(run, outcome)
    if (this.#closed.has(run)) return
    const ledger = await this.#ledger(run)
    this.#current = ledger
    await ledger.record(outcome)
  }

  async recordEnd(run: string, end: RunEnd): Promise<'recorded' | 'contradicted'> {
    if (this.#closed.has(run)) return 'recorded'
    const { store, log } = this.#parts
    const ended = await store.putEnd(run, { ...end, at: Date.now() })
    if (ended.count !== end.count && !end.abandoned) return 'contradicted'
    // The first end counts: a run that was ended before it was given up has all its messages.
    if (ended.abandoned) {
      log.warn(`run ${run} was given up by its detector: it is closed without a result`)
      await store.putMarker(run, ended.at, 'abandoned')
      return 'recorded'
    }
    const ledger = await this.#ledger(run)
    if (!ledger.end) await ledger.record({ end: ended, at: Date.now() })
    await this.#untilComplete(run, ended.count)
    await this.#publish(run, ended)
    return 'recorded'
  }

  async close(): Promise<void> {
    await this.#watching
    for (const ledger of this.#ledgers.values()) await (await ledger).close()
  }

  #ledger(run: string): Promise<Ledger> {
    const { stateDir, watch, log } = this.#parts
    const open =
      this.#ledgers.get(run) ??
      Ledger.open(stateDir, run, watch, (path, line) =>
        log.warn(`${path}: line ${line} is damaged and is passed over`),
      )
    this.#ledgers.set(run, open)
    return open
  }

  /** Waits until the store has the outcomes 1 … count. What lies before the first gap is not listed again. */
  async #untilComplete(run: string, count: number): Promise<void> {
    const { store, signal } = this.#parts
    for (let through = 0; through < count; ) {
      const numbers = await store.outcomeNumbers(run, through)
      const before = through
      for (const n of numbers) if (n === through + 1) through = n
      if (through >= count) return
      if (through === before || numbers.length < 1000) await pause(lookMilliseconds.open, signal)
      if (signal.aborted) throw new Stopped()
    }
  }

  async #publish(run: string, end: StoredEnd): Promise<void> {
    const { store } = this.#parts
    const { json, text, finishedAt } = await this.#publications.do(() =>
      this.#whenThereIsRoom(() => this.#write(run, end)),
    )
    await store.putResult(run, 'results.txt', text)
    await store.putResult(run, 'results.json', json)
    await store.putMarker(run, finishedAt, 'complete')
    await this.#fetch(run)
  }

  /** Whoever does this, and however often, writes the same bytes. */
  async #write(run: string, end: StoredEnd) {
    const { store, stateDir, bucket, label } = this.#parts
    const folder = runFolder(stateDir, run)
    const { texts, failures, newestAt, sorted, remove } = await gatherOutcomes(store, run, end.count, folder)
    const finishedAt = Math.max(end.at, newestAt)
    const { count, images, failed: detectorFailed } = end
    const counts = { count, images, detectorFailed, texts, failures }
    const head = { run, bucket, label, ...counts, finishedAt: new Date(finishedAt).toISOString(), calls: {} }
    await writeRun(folder, head, sorted())
    await remove()
    const json = await readFile(join(folder, 'results.json.tmp'))
    const text = await readFile(join(folder, 'results.txt.tmp'))
    return { json, text, finishedAt }
  }

  #whenThereIsRoom<T>(write: () => Promise<T>): Promise<T> {
    return whenThereIsRoom(this.#parts.stateDir, this.#parts.watch, write)
  }

  async #watchForResults(since: number): Promise<void> {
    const { signal, store, log } = this.#parts
    let from = since
    while (!signal.aborted) {
      try {
        for (const { run, at, state } of await store.markers(from)) {
          from = Math.max(from, at)
          if (state === 'complete') await this.#fetch(run)
          else await this.#close(run)
        }
      } catch (error) {
        if (!(error instanceof Stopped)) log.warn(`cannot look for finished runs: ${error}`)
      }
      await pause(this.#ledgers.size > 0 ? lookMilliseconds.open : lookMilliseconds.idle, signal)
    }
  }

  /** Has the run's results on this disk, the same bytes as on every other; once, whoever asks for it. */
  async #fetch(run: string): Promise<void> {
    if (this.#closed.has(run)) return
    const fetching = this.#fetching.get(run) ?? this.#fetchOnce(run).finally(() => this.#fetching.delete(run))
    this.#fetching.set(run, fetching)
    await fetching
  }

  async #fetchOnce(run: string): Promise<void> {
    const { store, stateDir, log, onFinished } = this.#parts
    const json = await store.result(run, 'results.json')
    const text = await store.result(run, 'results.txt')
    await this.#publications.do(() => this.#whenThereIsRoom(() => publishCopy(stateDir, run, { json, text })))
    await this.#close(run)
    log.info(`run ${run} is complete`, { results: join(stateDir, 'results.txt') })
    onFinished(run)
  }

  async #close(run: string): Promise<void> {
    this.#closed.add(run)
    const ledger = this.#ledgers.get(run)
    this.#ledgers.delete(run)
    await (await ledger)?.close()
  }
}
