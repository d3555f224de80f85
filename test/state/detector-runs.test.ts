import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StateDatabase } from '../../src/state/database.ts'
import { type Car, DetectorRuns, type RunSettings } from '../../src/state/detector-runs.ts'
import { TestDatabase } from './test-database.ts'

let files: TestDatabase
let database: StateDatabase
let runs: DetectorRuns

beforeEach(async () => {
  files = new TestDatabase('detector')
  await reopen()
})

afterEach(() => files.delete())

/** The next process. */
async function reopen(): Promise<void> {
  database = await files.open()
  runs = new DetectorRuns(database)
}

const settings: RunSettings = {
  bucket: 'bucket',
  prefix: '',
  maxImages: 0,
  label: 'Car',
  minConfidence: 90,
  queue: 'imgpipe',
  region: 'eu-central-1',
}

const begin = (run: string, of: Partial<RunSettings> = {}) =>
  runs.begin(run, { settings: { ...settings, ...of }, fresh: false, at: 1_000, queueCreatedAt: undefined })

async function finish(run: string, state: 'done' | 'abandoned' = 'done', of: Partial<RunSettings> = {}) {
  const { seq } = await begin(run, of)
  await database.commit(() => runs.setState(seq, state))
  return seq
}

function car(n: number, key = `${n}.jpg`): Car {
  return { n, key, etag: `e${n}`, sizeBytes: 10, confidence: 95.5, boxes: [[0, 0.1, 0.2, 0.3]] }
}

async function addCars(seq: number, count: number): Promise<void> {
  await database.commit(() => {
    for (let n = 1; n <= count; n++) runs.addCar(seq, car(n))
  })
}

describe('a run', () => {
  it('is as it was begun', async () => {
    const row = await runs.begin('a', { settings, fresh: true, at: 1_234, queueCreatedAt: 5 })
    await reopen()
    expect(runs.get('a')).toEqual(row)
    expect(row).toEqual({
      seq: 1,
      run: 'a',
      state: 'open',
      settings,
      fresh: true,
      startedAt: 1_234,
      endedAt: undefined,
      queueCreatedAt: 5,
      lastKey: '',
      images: 0,
      skipped: 0,
      reused: 0,
      digest: '',
      cars: 0,
      failed: 0,
      asked: 0,
      requests: {},
    })
    expect(runs.get('b')).toBeUndefined()
  })

  it('is begun once', async () => {
    await begin('a')
    await expect(begin('a')).rejects.toThrow(/UNIQUE/)
  })

  it('keeps its checkpoint and its counts', async () => {
    const { seq } = await begin('a')
    const checkpoint = { lastKey: 'ü🚗.jpg', images: 5, skipped: 2, reused: 1, digest: 'ff' }
    const progress = {
      processed: 7,
      total: 10,
      cars: 3,
      failed: 1,
      perSecond: 4.5,
      waiting: 'waiting',
      requests: { DetectLabels: 9 },
    }
    await database.commit(() => {
      runs.checkpoint(seq, checkpoint, progress)
      runs.countAsked(seq)
      runs.countAsked(seq)
    })
    await reopen()
    const expected = { ...checkpoint, cars: 3, failed: 1, asked: 2, requests: { DetectLabels: 9 } }
    expect(runs.get('a')).toMatchObject(expected)
  })

  it('is unfinished until "-1" is in the queue, or it is abandoned', async () => {
    const { seq: a } = await begin('a')
    const { seq: b } = await begin('b')
    expect(runs.unfinished().map(({ run }) => run)).toEqual(['a', 'b'])
    await database.commit(() => runs.setState(a, 'ended'))
    expect(runs.unfinished().map(({ run, state }) => [run, state])).toEqual([
      ['a', 'ended'],
      ['b', 'open'],
    ])
    const { endedAt } = runs.get('a') ?? {}
    await database.commit(() => {
      runs.setState(a, 'done')
      runs.setState(b, 'abandoned')
    })
    expect(runs.unfinished()).toEqual([])
    expect(runs.get('a')?.endedAt).toBe(endedAt)
  })
})

describe('the last finished run', () => {
  it('is the newest one over the same part of the bucket, whatever the other settings are', async () => {
    expect(runs.lastDone(settings)).toBeUndefined()
    await finish('a', 'done', { label: 'Truck', minConfidence: 10 })
    await finish('other bucket', 'done', { bucket: 'other' })
    await finish('other prefix', 'done', { prefix: 'x/' })
    await finish('abandoned', 'abandoned')
    await begin('open')
    expect(runs.lastDone(settings)?.run).toBe('a')
    expect(runs.lastDone({ bucket: 'bucket', prefix: 'x/' })?.run).toBe('other prefix')
    await finish('b')
    expect(runs.lastDone(settings)?.run).toBe('b')
  })

  it('whose end a queue has got is the newest one over any part of any bucket', async () => {
    expect(runs.lastEnd(settings)).toBeUndefined()
    await finish('a')
    await finish('b', 'done', { bucket: 'other', prefix: 'x/' })
    await finish('other queue', 'done', { queue: 'other' })
    await finish('other region', 'done', { region: 'us-east-1' })
    await finish('abandoned', 'abandoned')
    expect(runs.lastEnd(settings)).toBe('b')
  })

  it('may have been sent to the queue by its URL', async () => {
    await finish('a')
    await finish('b', 'done', { queue: 'https://sqs.eu-central-1.amazonaws.com/123456789012/imgpipe' })
    expect(runs.lastEnd(settings)).toBe('b')
  })

  it('is also one that was abandoned, or deleted, after its end may have been sent', async () => {
    await finish('a')
    const { seq } = await begin('b')
    await database.commit(() => runs.setState(seq, 'ended'))
    expect(runs.lastEnd(settings)).toBe('b')
    await database.commit(() => runs.setState(seq, 'abandoned'))
    await runs.delete(seq)
    await reopen()
    expect(runs.lastEnd(settings)).toBe('b')
  })
})

describe('cars', () => {
  it('have one number and one key each', async () => {
    const { seq } = await begin('a')
    const { seq: other } = await begin('b')
    await addCars(seq, 2)
    await addCars(other, 2)
    await expect(database.commit(() => runs.addCar(seq, car(3, '1.jpg')))).rejects.toThrow(/UNIQUE/)
    expect(runs.countCars(seq)).toBe(2)
    expect(runs.countCars(99)).toBe(0)
  })

  it('are numbered by the commit that adds them: one that fails leaves no gap', async () => {
    const { seq } = await begin('a')
    const add = (key: string) => database.commit(() => runs.addCar(seq, car(0, key)))
    const failing = database.commit(() => {
      runs.addCar(seq, car(0, 'lost'))
      throw new Error('no commit')
    })
    const [, ...added] = await Promise.allSettled([failing, add('x'), add('y')])
    expect(added).toMatchObject([{ value: 1 }, { value: 2 }])
    expect(runs.isNumberedWithoutGaps(seq)).toBe(true)
    database.prepare('DELETE FROM cars WHERE n = 1').run()
    expect(runs.isNumberedWithoutGaps(seq)).toBe(false)
  })

  it('that SQS has not confirmed come in order and in parts', async () => {
    const { seq } = await begin('a')
    await addCars(seq, 5)
    await database.commit(() => runs.markSent(seq, [1, 3], 5_000))
    await reopen()
    expect(runs.unsentAfter(seq, 0, 10)).toEqual([car(2), car(4), car(5)])
    expect(runs.unsentAfter(seq, 0, 2)).toEqual([car(2), car(4)])
    expect(runs.unsentAfter(seq, 4, 2)).toEqual([car(5)])
    expect(runs.unsentAfter(seq, 5, 2)).toEqual([])
  })

  it('without an ETag and a size stay without', async () => {
    const { seq } = await begin('a')
    const bare = { ...car(1), etag: undefined, sizeBytes: undefined, boxes: [] }
    await database.commit(() => runs.addCar(seq, bare))
    expect(runs.unsentAfter(seq, 0, 1)).toEqual([bare])
  })

  it('that were sent to a queue that is gone are sent again, once', async () => {
    const { seq } = await begin('a')
    const { seq: other } = await begin('b')
    await addCars(seq, 3)
    await addCars(other, 1)
    await database.commit(() => {
      runs.markSent(seq, [1, 2], 5_000)
      runs.markSent(other, [1], 5_000)
    })
    await runs.forgetSent(seq, 7_000)
    await reopen()
    expect(runs.unsentAfter(seq, 0, 10).map(({ n }) => n)).toEqual([1, 2, 3])
    expect(runs.unsentAfter(other, 0, 10)).toEqual([])
    expect(runs.get('a')?.queueCreatedAt).toBe(7_000)
    expect(runs.get('b')?.queueCreatedAt).toBeUndefined()
  })

  it('of closed runs are deleted, however many there are', async () => {
    const { seq } = await begin('a')
    const { seq: open } = await begin('b')
    await addCars(seq, 2_500)
    await addCars(open, 2)
    await runs.deleteSentCars()
    expect(runs.countCars(seq)).toBe(2_500)
    await database.commit(() => runs.setState(seq, 'done'))
    await runs.deleteSentCars()
    expect(runs.countCars(seq)).toBe(0)
    expect(runs.countCars(open)).toBe(2)
  })
})

describe('what a run has decided', () => {
  it('are its cars and failures behind one key up to another, in the order of UTF-8 bytes', async () => {
    const { seq } = await begin('a')
    const { seq: other } = await begin('b')
    await database.commit(() => {
      for (const [n, key] of ['a', 'c', '\u{1F697}', '\uFF61'].entries()) runs.addCar(seq, car(n + 1, key))
      runs.addFailure(seq, { key: 'b', reason: 'gone' })
      runs.addFailure(seq, { key: 'e', reason: 'gone' })
      runs.addCar(other, car(1, 'bb'))
    })
    expect(runs.decidedBetween(seq, 'a', 'c')).toEqual(new Set(['b', 'c']))
    expect(runs.decidedBetween(seq, '', 'a')).toEqual(new Set(['a']))
    expect(runs.decidedBetween(seq, 'c', '\uFF61')).toEqual(new Set(['e', '\uFF61']))
    expect(runs.decidedBetween(seq, '\uFF61', '\u{1F697}')).toEqual(new Set(['\u{1F697}']))
    expect(runs.decidedBetween(seq, 'x', 'x')).toEqual(new Set())
  })
})

describe('failures', () => {
  it('are kept once for each key, with the latest reason', async () => {
    const { seq } = await begin('a')
    await database.commit(() => {
      runs.addFailure(seq, { key: 'b', reason: 'gone' })
      runs.addFailure(seq, { key: 'a', reason: 'empty' })
      runs.addFailure(seq, { key: 'b', reason: 'replaced' })
    })
    expect(runs.countFailures(seq)).toBe(2)
    expect([...runs.failures(seq)]).toEqual([
      { key: 'a', reason: 'empty' },
      { key: 'b', reason: 'replaced' },
    ])
    expect(runs.countFailures(99)).toBe(0)
  })

  it('are found by key', async () => {
    const { seq } = await begin('a')
    await database.commit(() => {
      for (const key of ['a', 'b', 'c']) runs.addFailure(seq, { key, reason: 'gone' })
    })
    expect(runs.failedAmong(seq, ['0', 'a', 'c', 'd'])).toEqual(new Set(['a', 'c']))
    expect(runs.failedAmong(seq + 1, ['a'])).toEqual(new Set())
  })

  it('can be read in part, and then again', async () => {
    const { seq } = await begin('a')
    await database.commit(() => {
      for (const key of ['a', 'b', 'c']) runs.addFailure(seq, { key, reason: 'gone' })
    })
    for (const { key } of runs.failures(seq)) if (key === 'a') break
    expect([...runs.failures(seq)]).toHaveLength(3)
    await addCars(seq, 1)
  })
})

describe('old runs', () => {
  it('are deleted with all they have, the newest are kept, unfinished ones always', async () => {
    const { seq: open } = await begin('open')
    const closed = [await finish('a'), await finish('b', 'abandoned'), await finish('c'), await finish('d')]
    await database.commit(() => {
      for (const seq of [open, ...closed]) {
        runs.addCar(seq, car(1))
        runs.addFailure(seq, { key: 'x', reason: 'gone' })
      }
    })
    expect((await runs.prune(2)).sort()).toEqual(['a', 'b'])
    for (const run of ['a', 'b']) expect(runs.get(run)).toBeUndefined()
    for (const run of ['open', 'c', 'd']) expect(runs.get(run)).toBeDefined()
    expect([open, ...closed].map((seq) => runs.countCars(seq))).toEqual([1, 0, 0, 1, 1])
    expect([open, ...closed].map((seq) => runs.countFailures(seq))).toEqual([1, 0, 0, 1, 1])
    expect(await runs.prune(2)).toEqual([])
  })

  it('leave the last one that was brought to its end, whatever was abandoned since', async () => {
    for (const run of ['a', 'b']) await finish(run)
    for (const run of ['c', 'd']) await finish(run, 'abandoned')
    expect((await runs.prune(1)).sort()).toEqual(['a', 'c', 'd'])
    expect(runs.lastDone(settings)?.run).toBe('b')
    expect((await begin('e')).seq).toBe(3)
  })

  it('do not give their place in the order to new ones', async () => {
    await finish('a')
    await finish('b')
    await runs.prune(1)
    expect((await begin('c')).seq).toBe(3)
  })
})
