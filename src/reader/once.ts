import { type MetaName, readMeta, readPosition, writeMeta } from '../state/meta.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'
import type { WorkerContext } from '../state/worker.ts'
import { type FinishedPlace, orderStart, type ResultsExchange } from './exchange.ts'
import { readCursor } from './sharing.ts'

/**
 * Ends `read --once` with the first run that is published after it was started. The place from which it counts is kept, so
 * that a process that was killed between publishing and its exit is continued by the next one. Places are those of this
 * reader's order, or with a results bucket those of its order of finished runs.
 */
export class OnceBaseline {
  readonly #context: WorkerContext
  #place: number

  static async start(
    context: WorkerContext,
    runs: ReaderRuns,
    exchange: ResultsExchange | undefined,
  ): Promise<OnceBaseline> {
    const { database, shutdown, settings } = context
    const stored = readMeta(database, nameOf(context))
    const last = exchange ? readCursor(database, settings.resultsBucket) : { position: runs.lastPublished() }
    const { start, isOrderKnown } = await startOf({ stored, last, exchange })
    await database.commit(() => writeMeta(database, nameOf(context), String(start)))
    const published = exchange
      ? readPosition(database, `published-position ${settings.resultsBucket}`)
      : last.position
    if (isOrderKnown && published > start) shutdown.request()
    return new OnceBaseline(context, start)
  }

  /** A resident reader continues no `read --once`: what it publishes is not what the next one waits for. */
  static async forget(context: WorkerContext): Promise<void> {
    const { database } = context
    if (readMeta(database, nameOf(context)) === undefined) return
    await database.commit(() => writeMeta(database, nameOf(context), undefined))
  }

  private constructor(context: WorkerContext, place: number) {
    this.#context = context
    this.#place = place
  }

  /** A run has been published by this process; with a results bucket it may be one that had finished before. */
  published({ position = 0 }: ReaderRunRow): void {
    const { settings, shutdown } = this.#context
    if (settings.resultsBucket === '' || position > this.#place) shutdown.request()
  }

  /** The order of finished runs begins anew: whatever is in it is new. */
  orderDeleted(): void {
    this.#place = 0
  }

  /** The command ends by itself: the next one begins anew. */
  end(): Promise<void> {
    return OnceBaseline.forget(this.#context)
  }
}

function nameOf({ settings }: WorkerContext): MetaName {
  return `once-baseline ${settings.resultsBucket}`
}

/**
 * What other readers have finished before is not the next run, although it is not on this disk yet. A place in an order that
 * was deleted means nothing.
 */
async function startOf(known: {
  stored: string | undefined
  last: FinishedPlace
  exchange: ResultsExchange | undefined
}): Promise<{ start: number; isOrderKnown: boolean }> {
  const { stored, last, exchange } = known
  if (!exchange) return { start: Number(stored ?? last.position), isOrderKnown: true }
  const places = await exchange.finishedAfter(last)
  if (places) return { start: Number(stored ?? (places.at(-1) ?? last).position), isOrderKnown: true }
  const newPlaces = stored === undefined ? await exchange.finishedAfter(orderStart) : undefined
  return { start: newPlaces?.at(-1)?.position ?? 0, isOrderKnown: false }
}
