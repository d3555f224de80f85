import { readMeta, writeMeta } from '../state/meta.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'
import type { WorkerContext } from '../state/worker.ts'
import type { ResultsExchange } from './exchange.ts'

/**
 * Ends `read --once` with the first run that is published after it was started. The place from which it counts is kept, so
 * that a process that was killed between publishing and its exit is continued by the next one.
 */
export class OnceBaseline {
  readonly #context: WorkerContext
  readonly #position: number

  static async start(
    context: WorkerContext,
    runs: ReaderRuns,
    exchange: ResultsExchange | undefined,
  ): Promise<OnceBaseline> {
    const { database, shutdown } = context
    const stored = readMeta(database, 'once-baseline')
    const latest = runs.latest()?.published ?? 0
    const start = stored === undefined ? await lastFinished(latest, exchange) : Number(stored)
    const baseline = new OnceBaseline(context, start)
    await database.commit(() => writeMeta(database, 'once-baseline', String(baseline.#position)))
    if (latest > baseline.#position) shutdown.request()
    return baseline
  }

  private constructor(context: WorkerContext, position: number) {
    this.#context = context
    this.#position = position
  }

  published({ published = 0 }: ReaderRunRow): void {
    if (published > this.#position) this.#context.shutdown.request()
  }

  /** The command ends by itself: the next one begins anew. */
  async end(): Promise<void> {
    const { database } = this.#context
    await database.commit(() => writeMeta(database, 'once-baseline', undefined))
  }
}

/** What other readers have finished before is not the next run, although it is not on this disk yet. */
async function lastFinished(latest: number, exchange: ResultsExchange | undefined): Promise<number> {
  const positions = (await exchange?.finishedPositions(latest)) ?? []
  return positions.at(-1) ?? latest
}
