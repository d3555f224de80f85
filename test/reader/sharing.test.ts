import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { AwsError } from '../../src/aws/errors.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import type { Outcome, RunEnd } from '../../src/protocol/outcomes.ts'
import type {
  FinishedPlace,
  Results,
  ResultsExchange,
  RunState,
  SharedEnd,
} from '../../src/reader/exchange.ts'
import { RunCoordinator } from '../../src/reader/run-coordinator.ts'
import { SharedRuns } from '../../src/reader/sharing.ts'
import { runDirectory } from '../../src/results/publish.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { type ReaderRunRow, ReaderRuns } from '../../src/state/reader-runs.ts'
import { TestDatabase } from '../state/test-database.ts'

const runId = (n: number) =>
  `202611220000${String(n).padStart(2, '0')}Z-aaaa`.replace('20261122', '20261122T')
const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
const end = (count: number): RunEnd => ({ count, images: count, failed: 0, failures: [], abandoned: false })
const outcome = (n: number): Outcome => {
  const lines = [{ text: `text ${n}`, confidence: 99, polygon: [] }]
  return { n, key: `${n}.jpg`, at: n, outcome: 'text', lines }
}
const truth = (count: number) =>
  Array.from({ length: count }, (_, n) => `${n + 1}.jpg: text ${n + 1}\n`).join('')

/** What a results bucket does, in memory. */
class MemoryExchange {
  readonly outcomes = new Map<string, Outcome>()
  readonly ends = new Map<string, SharedEnd>()
  readonly written = new Map<string, Results>()
  readonly order: { run: string; state: RunState }[] = []

  async hasOutcome(run: string, n: number) {
    return this.outcomes.has(`${run} ${n}`)
  }

  async putOutcome(run: string, one: Outcome) {
    const known = this.outcomes.get(`${run} ${one.n}`) ?? one
    this.outcomes.set(`${run} ${one.n}`, known)
    return known
  }

  async outcome(run: string, n: number) {
    return this.outcomes.get(`${run} ${n}`)
  }

  async outcomeNumbers(run: string, after: number) {
    const numbers = [...this.outcomes.keys()].flatMap((name) => {
      const [of, n] = name.split(' ')
      return of === run && Number(n) > after ? [Number(n)] : []
    })
    return numbers.sort((a, b) => a - b).slice(0, 1000)
  }

  async putEnd(run: string, one: SharedEnd) {
    const known = this.ends.get(run) ?? one
    this.ends.set(run, known)
    return known
  }

  async putResults(run: string, results: Results) {
    if (!this.written.has(run)) this.written.set(run, results)
  }

  async results(run: string) {
    const results = this.written.get(run)
    if (results) return results
    throw new AwsError('subject', 'no such key', { service: 's3', operation: 'GetObject', status: 404 })
  }

  async appendFinished(run: string, state: RunState) {
    if (!this.order.some((entry) => entry.run === run)) this.order.push({ run, state })
  }

  async finishedAfter({ position, etag }: FinishedPlace): Promise<FinishedPlace[] | undefined> {
    const places = this.order.map(({ run }, place) => ({ position: place + 1, etag: `"${run}"` }))
    if (position > 0 && places[position - 1]?.etag !== etag) return undefined
    return places.slice(position)
  }

  async finished(position: number) {
    return { position, ...this.order[position - 1] }
  }

  /** Another reader's finished run. */
  finish(run: string, text: string | undefined): void {
    this.order.push({ run, state: 'complete' })
    if (text !== undefined) this.written.set(run, { text: Buffer.from(text), json: Buffer.from('{}') })
  }
}

let files: TestDatabase
let database: StateDatabase
let runs: ReaderRuns
let exchange: MemoryExchange
let keepRuns: number
let stop: () => Promise<void>

beforeEach(async () => {
  vi.clearAllMocks()
  files = new TestDatabase('reader')
  database = await files.open()
  runs = new ReaderRuns(database)
  exchange = new MemoryExchange()
  keepRuns = 100
  stop = async () => {}
})

afterEach(async () => {
  await stop()
  await files.delete()
})

/** Starts following the bucket. */
function share(resultsBucket = 'agreed'): { coordinator: RunCoordinator; published: ReaderRunRow[] } {
  const published: ReaderRunRow[] = []
  const aborter = new AbortController()
  const common = { stateDir: files.stateDir, keepRuns, database, runs, log }
  const onOrderDeleted = () => {}
  const parts = { ...common, resultsBucket, exchange: exchange as unknown as ResultsExchange, onOrderDeleted }
  const shared = new SharedRuns({ ...parts, signal: aborter.signal })
  const more = { bucket: 'bucket', label: 'Car', onPublished: (row: ReaderRunRow) => published.push(row) }
  const whenSpace = <T>(_: string, write: () => Promise<T>) => write()
  const coordinator = new RunCoordinator({ ...common, ...more, whenSpace }, shared)
  coordinator.resume()
  const following = shared.follow(coordinator)
  stop = async () => {
    aborter.abort()
    await following.catch((error: unknown) => expect(error).toBeInstanceOf(ShutdownError))
    await coordinator.finish(60_000).catch(() => undefined)
  }
  return { coordinator, published }
}

/** Results that this reader has published while it worked alone. */
async function complete(run: string): Promise<void> {
  const { seq } = await runs.begin(run)
  await database.commit(() => runs.setComplete(seq))
}

const shown = () => readFileSync(join(files.stateDir, 'results.txt'), 'utf8')
const isClosed = (run: string) => vi.waitFor(() => expect(runs.get(run)?.state).toBe('complete'), 10_000)

describe('a reader that has worked alone', () => {
  it('takes its place among the others: its own order does not collide with theirs', async () => {
    await complete(runId(1))
    exchange.finish(runId(2), 'two')
    const { published } = share()
    await isClosed(runId(2))
    expect(runs.get(runId(2))).toMatchObject({ published: 2, position: 1 })
    expect(published).toMatchObject([{ run: runId(2), position: 1 }])
    expect(shown()).toBe('two')
  })

  it('shares what it has recorded, so that a run which it has half read is completed', async () => {
    const { seq } = await runs.begin(runId(1))
    await database.commit(() => {
      for (let n = 1; n <= 1_100; n++) runs.addOutcome(seq, outcome(n), 'asked')
    })
    await exchange.putOutcome(runId(1), outcome(3))
    const { coordinator } = share()
    expect(await coordinator.state(runId(1), 2)).toBe('done')
    await coordinator.record(runId(1), outcome(1_101), 'asked')
    await coordinator.recordEnd(runId(1), end(1_101))
    await isClosed(runId(1))
    expect(exchange.outcomes.size).toBe(1_101)
    expect(shown()).toBe(truth(1_101))
  })

  it('shares the end that has come to it too', async () => {
    const { seq } = await runs.begin(runId(1))
    await database.commit(() => {
      runs.addOutcome(seq, outcome(1), 'asked')
      runs.setEnd(seq, end(1))
    })
    share()
    await isClosed(runId(1))
    expect(exchange.ends.get(runId(1))).toMatchObject({ count: 1, at: expect.any(Number) })
  })
})

describe('following the order of finished runs', () => {
  it('begins anew with another bucket', async () => {
    exchange.finish(runId(1), 'one')
    exchange.finish(runId(2), 'two')
    share()
    await isClosed(runId(2))
    await stop()
    exchange = new MemoryExchange()
    exchange.finish(runId(3), 'three')
    share('another')
    await isClosed(runId(3))
    expect(shown()).toBe('three')
  })

  it('begins anew when its objects were deleted, as by a lifecycle rule', async () => {
    exchange.finish(runId(1), 'one')
    exchange.finish(runId(2), 'two')
    share()
    await isClosed(runId(2))
    await stop()
    exchange = new MemoryExchange()
    exchange.finish(runId(3), 'three')
    exchange.finish(runId(4), 'four')
    share()
    await isClosed(runId(4))
    expect(shown()).toBe('four')
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringContaining('was deleted: following the new one'),
    )
  })

  it('leaves a run out whose results somebody has deleted, with a warning', async () => {
    exchange.finish(runId(1), 'one')
    exchange.finish(runId(2), undefined)
    share()
    await isClosed(runId(2))
    expect(shown()).toBe('one')
    expect(runs.latest()?.run).toBe(runId(1))
    const sentence = `the results of run ${runId(2)} are no longer in the results bucket "agreed"`
    expect(log.warn).toHaveBeenCalledWith(sentence)
  })

  it('shows the run that began last, also when it was finished before those that are kept', async () => {
    keepRuns = 1
    for (const n of [2, 5, 3, 4]) exchange.finish(runId(n), `run ${n}`)
    share()
    await isClosed(runId(4))
    expect(shown()).toBe('run 5')
    expect(runs.latest()?.run).toBe(runId(5))
    expect(existsSync(runDirectory(files.stateDir, runId(4)))).toBe(false)
  })
})

it('does not go through all finished runs before it stops', async () => {
  for (let n = 0; n < 500; n++) exchange.finish(runId(1), undefined)
  const asked = vi.spyOn(exchange, 'finished').mockImplementation(async (position) => {
    void stop()
    return { position, run: runId(1), state: 'complete' }
  })
  share()
  await vi.waitFor(() => expect(asked).toHaveBeenCalled())
  await stop()
  expect(asked.mock.calls.length).toBeLessThan(100)
})
