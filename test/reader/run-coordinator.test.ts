import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outcome, RunEnd } from '../../src/protocol/outcomes.ts'
import { RunCoordinator } from '../../src/reader/run-coordinator.ts'
import { publishRun, runDirectory, writeRun } from '../../src/results/publish.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { type ReaderRunRow, ReaderRuns } from '../../src/state/reader-runs.ts'
import { TestDatabase } from '../state/test-database.ts'
import { Random } from '../support/random.ts'

let files: TestDatabase
let database: StateDatabase
let runs: ReaderRuns
let coordinator: RunCoordinator
let published: ReaderRunRow[]
let keepRuns: number
const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }

beforeEach(async () => {
  files = new TestDatabase('reader')
  published = []
  keepRuns = 100
  vi.clearAllMocks()
  await start()
})

afterEach(async () => {
  await coordinator.finish(60_000).catch(() => undefined)
  await files.delete()
})

/** The next process: what the one before had not committed is lost. */
async function start(): Promise<void> {
  await database?.close()
  database = await files.open()
  runs = new ReaderRuns(database)
  coordinator = new RunCoordinator({
    stateDir: files.stateDir,
    bucket: 'bucket',
    label: 'Car',
    keepRuns,
    database,
    runs,
    log,
    whenSpace: (_, write) => write(),
    onPublished: (row) => published.push(row),
  })
  coordinator.resume()
}

/** Waits for what happens in the background. */
async function finish(): Promise<void> {
  await coordinator.finish(60_000)
  coordinator.throwIfFailed()
}

const end = (count: number, more: Partial<RunEnd> = {}): RunEnd => ({
  count,
  images: count,
  failed: 0,
  failures: [],
  abandoned: false,
  ...more,
})

function outcome(n: number, text = `text ${n}`): Outcome {
  return { n, key: `${n}.jpg`, at: n, outcome: 'text', lines: [{ text, confidence: 99, polygon: [] }] }
}

function record(run: string, n: number): Promise<void> {
  return coordinator.record(run, outcome(n, `${run} ${n}`), 'asked', () => {})
}

/** What results.txt shows when a run with so many images is complete. */
function resultsOf(run: string, count: number): string {
  return Array.from({ length: count }, (_, n) => `${n + 1}.jpg: ${run} ${n + 1}\n`).join('')
}

const shownPath = () => join(files.stateDir, 'results.txt')
const shown = () => (existsSync(shownPath()) ? readFileSync(shownPath(), 'utf8') : undefined)
const publishedRuns = () => published.map(({ run }) => run)
const directories = () => readdirSync(join(files.stateDir, 'runs')).sort()

function countRows(table: string): number {
  return Number(database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count)
}

describe('a run is complete when it has as many outcomes as its end counts', () => {
  it('in any order, with repetitions, one after the other or at once', async () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = new Random('order', seed)
      const run = `run-${String(seed).padStart(2, '0')}`
      const count = random.between(1, 12)
      const events: (() => Promise<unknown>)[] = []
      for (let n = 1; n <= count; n++) {
        for (let times = random.between(1, 2); times > 0; times--) events.push(() => record(run, n))
      }
      for (let times = random.between(1, 3); times > 0; times--) {
        events.push(async () => expect(await coordinator.recordEnd(run, end(count))).toBe('recorded'))
      }
      const atOnce: (Promise<unknown> | undefined)[] = []
      while (events.length > 0) {
        const [event] = events.splice(random.between(0, events.length - 1), 1)
        if (random.chance(0.5)) await event?.()
        else atOnce.push(event?.())
      }
      await Promise.all(atOnce)
      await finish()
      expect(shown()).toBe(resultsOf(run, count))
      expect(publishedRuns().filter((name) => name === run)).toEqual([run])
      expect(runs.get(run)).toMatchObject({
        state: 'complete',
        recorded: count,
        texts: count,
        published: seed + 1,
      })
    }
    expect(countRows('outcomes')).toBe(0)
  })

  it('and not before', async () => {
    await coordinator.recordEnd('a', end(3))
    await record('a', 1)
    await record('a', 2)
    await record('a', 2)
    await finish()
    expect([shown(), publishedRuns()]).toEqual([undefined, []])
    await record('a', 3)
    // When the last outcome is recorded, so that its message may be deleted, the results are there.
    expect(shown()).toBe(resultsOf('a', 3))
  })

  it('and at once when it has none', async () => {
    await coordinator.recordEnd(
      'a',
      end(0, { images: 7, failed: 1, failures: [{ key: 'x', reason: 'gone' }] }),
    )
    await finish()
    expect(shown()).toBe('')
    expect(
      JSON.parse(readFileSync(join(runDirectory(files.stateDir, 'a'), 'results.json'), 'utf8')),
    ).toMatchObject({
      run: 'a',
      bucket: 'bucket',
      label: 'Car',
      count: 0,
      images: 7,
      detectorFailed: 1,
      detectorFailures: [{ key: 'x', reason: 'gone' }],
      outcomes: [],
    })
  })

  it('and takes no more outcomes then', async () => {
    await coordinator.recordEnd('a', end(1))
    await record('a', 1)
    await finish()
    expect(await coordinator.state('a', 1)).toBe('done')
    expect(await coordinator.state('a', 2)).toBe('done')
    await record('a', 2)
    expect(await coordinator.recordEnd('a', end(2))).toBe('recorded')
    await finish()
    expect(shown()).toBe(resultsOf('a', 1))
    expect(runs.get('a')?.recorded).toBe(1)
    expect(publishedRuns()).toEqual(['a'])
  })

  it('also when it is closed while the outcome is on its way', async () => {
    await record('a', 1)
    const row = runs.get('a')
    if (!row) throw new Error('the run has begun')
    await Promise.all([coordinator.abandon(row, 'a test'), record('a', 2)])
    expect(runs.get('a')).toMatchObject({ state: 'abandoned', recorded: 1 })
  })
})

describe('an image of a run', () => {
  it('is pending until it has an outcome', async () => {
    expect(await coordinator.state('a', 1)).toBe('pending')
    await record('a', 1)
    expect(await coordinator.state('a', 1)).toBe('done')
    expect(await coordinator.state('a', 2)).toBe('pending')
    expect(await coordinator.state('b', 1)).toBe('pending')
  })

  it('beyond the count is out of range once the end is known, and in no result', async () => {
    await record('a', 3)
    await coordinator.recordEnd('a', end(2))
    expect(await coordinator.state('a', 2)).toBe('pending')
    expect(await coordinator.state('a', 4)).toBe('out-of-range')
    await record('a', 1)
    await finish()
    expect(publishedRuns()).toEqual([])
    await record('a', 2)
    await finish()
    expect(shown()).toBe(resultsOf('a', 2))
  })

  it('is recorded together with what belongs to it, or not at all', async () => {
    const insert = (seq: number) =>
      database.prepare("INSERT INTO foreign_messages (id, run) VALUES ('with it', ?)").run(seq)
    await coordinator.record('a', outcome(1), 'asked', insert)
    expect(countRows('foreign_messages')).toBe(1)
    const failing = coordinator.record('a', outcome(2), 'asked', () => {
      throw new RangeError('a bug')
    })
    await expect(failing).rejects.toThrow('a bug')
    expect(await coordinator.state('a', 2)).toBe('pending')
  })
})

describe('the end of a run', () => {
  it('that contradicts the first one does not hold', async () => {
    expect(await coordinator.recordEnd('a', end(2))).toBe('recorded')
    expect(await coordinator.recordEnd('a', end(3))).toBe('contradicted')
    expect(await coordinator.recordEnd('a', end(2))).toBe('recorded')
    await record('a', 1)
    await record('a', 2)
    await finish()
    expect(shown()).toBe(resultsOf('a', 2))
  })

  it('is one of two that come at once', async () => {
    const states = await Promise.all([coordinator.recordEnd('a', end(2)), coordinator.recordEnd('a', end(3))])
    expect(states.toSorted()).toEqual(['contradicted', 'recorded'])
    for (const n of [1, 2, 3]) await record('a', n)
    await finish()
    expect(publishedRuns()).toEqual(['a'])
  })

  it('may abandon it: it is closed without a result', async () => {
    await coordinator.recordEnd('old', end(0))
    await record('a', 1)
    expect(await coordinator.recordEnd('a', end(1, { abandoned: true }))).toBe('recorded')
    await finish()
    expect(runs.get('a')?.state).toBe('abandoned')
    expect(await coordinator.state('a', 2)).toBe('done')
    expect(await coordinator.recordEnd('a', end(1))).toBe('recorded')
    await finish()
    expect([shown(), publishedRuns()]).toEqual(['', ['old']])
    expect(countRows('outcomes')).toBe(0)
    expect(log.warn).toHaveBeenCalledWith('run a is abandoned: its detector started another run')
  })

  it('that was sent before holds against one that abandons the run', async () => {
    await record('a', 1)
    await coordinator.recordEnd('a', end(2))
    expect(await coordinator.recordEnd('a', end(1, { abandoned: true }))).toBe('recorded')
    await record('a', 2)
    await finish()
    expect(shown()).toBe(resultsOf('a', 2))
  })
})

describe('several runs', () => {
  it('are published in turn; results.txt is the one that began last', async () => {
    await Promise.all(['a', 'b', 'c'].map((run) => coordinator.recordEnd(run, end(2))))
    await Promise.all([1, 2].flatMap((n) => ['c', 'b', 'a'].map((run) => record(run, n))))
    await finish()
    expect(publishedRuns().toSorted()).toEqual(['a', 'b', 'c'])
    expect(published.map((row) => row.published)).toEqual([1, 2, 3])
    expect(runs.latest()?.run).toBe('c')
    expect(shown()).toBe(resultsOf('c', 2))
    for (const run of ['a', 'b', 'c'])
      expect(readFileSync(join(runDirectory(files.stateDir, run), 'results.txt'), 'utf8')).toBe(
        resultsOf(run, 2),
      )
  })

  it('do not mix their outcomes', async () => {
    await record('a', 1)
    await record('b', 1)
    await coordinator.recordEnd('b', end(1))
    await finish()
    expect(publishedRuns()).toEqual(['b'])
    expect(await coordinator.state('a', 1)).toBe('done')
    await coordinator.recordEnd('a', end(1))
    await finish()
    expect(publishedRuns()).toEqual(['b', 'a'])
  })

  it('that complete after a newer one are published in their directory only', async () => {
    await record('a', 1)
    await record('b', 1)
    await coordinator.recordEnd('b', end(1))
    await coordinator.recordEnd('a', end(1))
    await finish()
    expect(shown()).toBe(resultsOf('b', 1))
    const own = join(runDirectory(files.stateDir, 'a'), 'results.txt')
    expect(readFileSync(own, 'utf8')).toBe(resultsOf('a', 1))
    const sentence = 'run a is complete; results.txt goes on showing run b, which began later'
    expect(log.info).toHaveBeenCalledWith(sentence, expect.objectContaining({ results: own }))
    rmSync(shownPath())
    await start()
    await finish()
    expect(shown()).toBe(resultsOf('b', 1))
  })

  it('beyond keepRuns lose their files', async () => {
    keepRuns = 2
    await start()
    for (const run of ['a', 'b', 'c', 'd']) await coordinator.recordEnd(run, end(0))
    await finish()
    expect(directories()).toEqual(['c', 'd'])
    expect(await coordinator.state('a', 1)).toBe('done')
  })

  it('keep the one that results.txt shows, whatever is completed or abandoned afterwards', async () => {
    keepRuns = 1
    await start()
    await record('a', 1)
    await record('c', 1)
    await coordinator.recordEnd('c', end(1))
    await coordinator.recordEnd('d', end(0, { abandoned: true }))
    await coordinator.recordEnd('a', end(1))
    await coordinator.recordEnd('b', end(0))
    await finish()
    expect(directories()).toEqual(['c'])
    rmSync(shownPath())
    await start()
    await finish()
    expect(shown()).toBe(resultsOf('c', 1))
  })
})

describe('the next process', () => {
  const head = () => coordinator.head(row(), end(2), 0)

  function row(): ReaderRunRow {
    const found = runs.get('a')
    if (!found) throw new Error('the run is not in the database')
    return found
  }

  /** A run with all outcomes and its end, of which nothing is published yet. */
  async function interrupt({ isEndKnown = true } = {}): Promise<void> {
    const { seq } = await runs.begin('a')
    await database.commit(() => {
      for (const n of [1, 2]) runs.addOutcome(seq, outcome(n, `a ${n}`), 'asked')
      if (isEndKnown) runs.setEnd(seq, end(2))
    })
  }

  const steps: Record<string, () => unknown> = {
    'nothing was written': () => {},
    'the directory was made': () => mkdirSync(runDirectory(files.stateDir, 'a'), { recursive: true }),
    'a file was half written': () => {
      mkdirSync(runDirectory(files.stateDir, 'a'), { recursive: true })
      writeFileSync(join(runDirectory(files.stateDir, 'a'), 'results.json.tmp'), '{"half')
    },
    'the files were written': () => writeRun(files.stateDir, head(), runs.outcomes(row().seq, 2)),
    'the files were shown': () => publishRun(files.stateDir, head(), runs.outcomes(row().seq, 2)),
  }

  it.each(Object.keys(steps))(
    'publishes a run that was complete when the last one died: %s',
    async (name) => {
      await coordinator.recordEnd('0 older', end(0))
      await finish()
      await interrupt()
      await steps[name]?.()
      await start()
      await finish()
      expect(shown()).toBe(resultsOf('a', 2))
      expect(publishedRuns()).toEqual(['0 older', 'a'])
      expect(row()).toMatchObject({ state: 'complete', published: 2 })
      expect(countRows('outcomes')).toBe(0)
      await start()
      await finish()
      expect(publishedRuns()).toEqual(['0 older', 'a'])
    },
  )

  it('waits for the end, or for the outcomes, that are missing', async () => {
    await interrupt({ isEndKnown: false })
    await start()
    await finish()
    expect(publishedRuns()).toEqual([])
    expect(coordinator.current).toBe(row().seq)
    await coordinator.recordEnd('a', end(3))
    await start()
    await finish()
    expect(publishedRuns()).toEqual([])
    expect(await coordinator.state('a', 4)).toBe('out-of-range')
    await record('a', 3)
    expect(shown()).toBe(resultsOf('a', 3))
  })

  it('abandons a run whose end says so', async () => {
    await interrupt({ isEndKnown: false })
    await database.commit(() => runs.setEnd(row().seq, end(2, { abandoned: true })))
    await start()
    await finish()
    expect(row().state).toBe('abandoned')
    expect(publishedRuns()).toEqual([])
  })

  it('shows the latest results and deletes the details, when the last one died before', async () => {
    await coordinator.recordEnd('0 older', end(0))
    await finish()
    await interrupt()
    await publishRun(files.stateDir, head(), runs.outcomes(row().seq, 2))
    await database.commit(() => runs.setComplete(row().seq))
    writeFileSync(shownPath(), 'of an older run')
    await start()
    await finish()
    expect(shown()).toBe(resultsOf('a', 2))
    expect(countRows('outcomes')).toBe(0)
    expect(publishedRuns()).toEqual(['0 older'])
  })

  it('starts although somebody has deleted the files of the latest run', async () => {
    await coordinator.recordEnd('a', end(0))
    await finish()
    rmSync(join(files.stateDir, 'runs'), { recursive: true })
    await start()
    await finish()
    await coordinator.recordEnd('b', end(0))
    await finish()
    expect(publishedRuns()).toEqual(['a', 'b'])
  })
})

describe('what goes wrong in the background', () => {
  it('ends the worker', async () => {
    await coordinator.recordEnd('a', end(0))
    await finish()
    // A directory where the file has to be.
    rmSync(shownPath())
    mkdirSync(join(shownPath(), 'x'), { recursive: true })
    await start()
    await coordinator.finish(60_000).catch(() => undefined)
    expect(() => coordinator.throwIfFailed()).toThrow(/EISDIR|ENOTEMPTY|directory/)
  })
})
