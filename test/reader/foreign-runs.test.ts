import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { isForeignRunId } from '../../src/protocol/run-id.ts'
import { ForeignRuns } from '../../src/reader/foreign-runs.ts'
import { RunCoordinator } from '../../src/reader/run-coordinator.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { ReaderRuns } from '../../src/state/reader-runs.ts'
import { TestDatabase } from '../state/test-database.ts'

const visibilitySeconds = 30
/** Longer than the visibility timeout, with a margin. */
const quietMs = 35_000
const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }

let files: TestDatabase
let database: StateDatabase
let runs: ReaderRuns
let foreign: ForeignRuns
let coordinator: RunCoordinator
let published: string[]

beforeEach(async () => {
  // SQLite and the file system stay real: only the clock is not.
  vi.useFakeTimers({ toFake: ['performance'] })
  vi.clearAllMocks()
  files = new TestDatabase('reader')
  published = []
  await start()
})

afterEach(async () => {
  await coordinator.finish(60_000)
  vi.useRealTimers()
  await files.delete()
})

/** The next process. */
async function start(): Promise<void> {
  database = await files.open()
  runs = new ReaderRuns(database)
  foreign = new ForeignRuns({ database, runs, log, visibilitySeconds })
  coordinator = new RunCoordinator({
    stateDir: files.stateDir,
    bucket: 'bucket',
    label: 'Car',
    keepRuns: 100,
    database,
    runs,
    log,
    whenSpace: (_, write) => write(),
    onPublished: ({ run }) => published.push(run),
  })
  coordinator.resume()
}

const elapse = (ms: number) => vi.advanceTimersByTime(ms)

/** A message about an image. */
async function receive(key: string, messageId = `message about ${key}`) {
  foreign.disturbed()
  return foreign.place(key, messageId)
}

async function receiveEnd(messageId = 'end'): Promise<void> {
  foreign.disturbed()
  await foreign.endSeen(messageId)
}

async function record(run: string | undefined, n: number): Promise<void> {
  const outcome: Outcome = { n, key: `${n}.jpg`, at: n, outcome: 'no-text' }
  await coordinator.record(run ?? '', outcome, 'asked', () => {})
}

/** What the reader does when the queue is empty. @returns the run that is over */
async function endQuietRun(): Promise<string | undefined> {
  const ended = foreign.ended()
  if (ended) await coordinator.recordEnd(ended.run, ended.end)
  return ended?.run
}

describe('an image without a number', () => {
  it('gets the next one of the run that its first message begins', async () => {
    const places = [await receive('a.jpg'), await receive('b.jpg'), await receive('c.jpg')]
    expect(places.map((place) => place?.n)).toEqual([1, 2, 3])
    expect(new Set(places.map((place) => place?.run)).size).toBe(1)
    expect(isForeignRunId(places[0]?.run ?? '')).toBe(true)
    expect(runs.open()).toMatchObject([{ run: places[0]?.run, isForeign: true }])
  })

  it('keeps it when its message comes again, and when another message is about the same key', async () => {
    const first = await receive('a.jpg', 'm1')
    await receive('b.jpg', 'm2')
    expect(await receive('a.jpg', 'm1')).toEqual(first)
    expect(await receive('a.jpg', 'm3')).toEqual(first)
    expect((await receive('c.jpg', 'm4'))?.n).toBe(3)
  })

  it('keeps it in the next process', async () => {
    const before = [await receive('a.jpg'), await receive('b.jpg')]
    await start()
    expect([await receive('a.jpg'), await receive('b.jpg')]).toEqual(before)
    expect(await receive('c.jpg')).toEqual({ run: before[0]?.run, n: 3 })
  })

  it('shares no number with others that come at the same time', async () => {
    const keys = Array.from({ length: 60 }, (_, n) => `${n % 50}.jpg`)
    const places = await Promise.all(keys.map((key, n) => receive(key, `m${n}`)))
    const numbers = new Map(keys.map((key, n) => [key, places[n]?.n]))
    expect([...numbers.values()].toSorted((a = 0, b = 0) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, n) => n + 1),
    )
    expect(places.slice(50)).toEqual(places.slice(0, 10))
    expect(runs.open()).toHaveLength(1)
  })
})

describe('a run without an end message of our own', () => {
  it('is over when "-1" has come and the queue was quiet for longer than the visibility timeout', async () => {
    const place = await receive('a.jpg')
    await receive('b.jpg')
    await receiveEnd()
    elapse(quietMs - 1)
    expect(foreign.ended()).toBeUndefined()
    elapse(1)
    expect(foreign.ended()).toEqual({
      run: place?.run,
      end: { count: 2, images: 2, failed: 0, failures: [], abandoned: false },
    })
  })

  it('is not over before "-1" has come', async () => {
    await receive('a.jpg')
    elapse(24 * 3_600_000)
    expect(foreign.ended()).toBeUndefined()
    await receiveEnd()
    expect(foreign.ended()).toBeUndefined()
    elapse(quietMs)
    expect(foreign.ended()).toBeDefined()
  })

  it('goes on with every message and every failed receive', async () => {
    await receiveEnd()
    elapse(quietMs - 1)
    await receive('late.jpg')
    elapse(quietMs - 1)
    foreign.disturbed()
    elapse(quietMs - 1)
    expect(foreign.ended()).toBeUndefined()
    elapse(1)
    expect(foreign.ended()?.end.count).toBe(1)
  })

  it('is waited for anew by the next process: messages may be invisible that the last one had', async () => {
    await receive('a.jpg')
    await receiveEnd()
    elapse(quietMs)
    await start()
    expect(foreign.ended()).toBeUndefined()
    elapse(quietMs - 1)
    expect(foreign.ended()).toBeUndefined()
    elapse(1)
    expect(foreign.ended()).toBeDefined()
  })

  it('may have no image at all', async () => {
    await receiveEnd()
    elapse(quietMs)
    const run = await endQuietRun()
    await coordinator.finish(60_000)
    expect(published).toEqual([run])
  })

  it('is complete only when every image that got a number has an outcome', async () => {
    const place = await receive('1.jpg')
    await receive('2.jpg')
    await record(place?.run, 1)
    await receiveEnd()
    // The reader is killed with an image in flight; its message is long invisible.
    await start()
    elapse(quietMs)
    expect(await endQuietRun()).toBe(place?.run)
    await coordinator.finish(60_000)
    expect(published).toEqual([])
    expect(await receive('2.jpg')).toEqual({ run: place?.run, n: 2 })
    expect(await coordinator.state(place?.run ?? '', 2)).toBe('pending')
    await record(place?.run, 2)
    await coordinator.finish(60_000)
    expect(published).toEqual([place?.run])
  })

  it('is over once', async () => {
    await receive('1.jpg')
    await receiveEnd()
    elapse(quietMs)
    expect(await endQuietRun()).toBeDefined()
    expect(await endQuietRun()).toBeUndefined()
    elapse(quietMs)
    await start()
    elapse(quietMs)
    expect(await endQuietRun()).toBeUndefined()
  })
})

describe('after the end of a run', () => {
  it('new messages begin a new one, although the old one waits for outcomes', async () => {
    const old = await receive('1.jpg', 'm1')
    await receiveEnd('end 1')
    elapse(quietMs)
    await endQuietRun()
    const next = await receive('1.jpg', 'm2')
    expect(next?.n).toBe(1)
    expect(next?.run).not.toBe(old?.run)
    expect(await receive('1.jpg', 'm1')).toEqual(old)
    expect(foreign.current?.run).toBe(next?.run)
    expect(foreign.current?.endSeen).toBe(false)
    await record(old?.run, 1)
    await coordinator.finish(60_000)
    expect(published).toEqual([old?.run])
    await receiveEnd('end 2')
    elapse(quietMs)
    expect(await endQuietRun()).toBe(next?.run)
  })

  it('a message that SQS delivers once more is recognised, in the next process too', async () => {
    const place = await receive('1.jpg', 'm1')
    await record(place?.run, 1)
    await receiveEnd('end 1')
    elapse(quietMs)
    await endQuietRun()
    await coordinator.finish(60_000)
    expect(published).toEqual([place?.run])
    for (let process = 0; process < 2; process++) {
      expect(await receive('1.jpg', 'm1')).toBeUndefined()
      await receiveEnd('end 1')
      expect(runs.open()).toEqual([])
      await start()
    }
    expect((await receive('1.jpg', 'm2'))?.run).not.toBe(place?.run)
  })

  it('"-1" that comes again before the end changes nothing', async () => {
    await receive('1.jpg')
    await receiveEnd('end')
    await start()
    await receiveEnd('end')
    expect(runs.open()).toHaveLength(1)
    elapse(quietMs)
    expect(foreign.ended()?.end.count).toBe(1)
  })

  it('runs of our own detector are none of these', async () => {
    await coordinator.state('20261122T174500Z-3f9a', 1)
    expect(foreign.current).toBeUndefined()
    const place = await receive('1.jpg')
    expect(place?.run).not.toBe('20261122T174500Z-3f9a')
    elapse(quietMs)
    expect(foreign.ended()).toBeUndefined()
  })
})
