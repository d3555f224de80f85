import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outcome, RunEnd } from '../../src/protocol/outcomes.ts'
import { AnswerStore } from '../../src/state/answers.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { type OutcomeSource, ReaderRuns } from '../../src/state/reader-runs.ts'
import { TestDatabase } from './test-database.ts'

let files: TestDatabase
let database: StateDatabase
let runs: ReaderRuns

beforeEach(async () => {
  files = new TestDatabase('reader')
  await reopen()
})

afterEach(async () => {
  vi.useRealTimers()
  await files.delete()
})

/** The next process. */
async function reopen(): Promise<void> {
  database = await files.open()
  runs = new ReaderRuns(database)
}

const day = 86_400_000
const lines = [{ text: 'YHI9 OTZ', confidence: 99, polygon: [[0, 0.5] as const] }]
const end: RunEnd = {
  count: 3,
  images: 9,
  failed: 1,
  failures: [{ key: 'x', reason: 'gone' }],
  abandoned: false,
}

const text = (n: number, key = `${n}.jpg`): Outcome => ({ n, key, at: 1_000 + n, outcome: 'text', lines })
const noText = (n: number, key = `${n}.jpg`): Outcome => ({ n, key, at: 1_000 + n, outcome: 'no-text' })
const failed = (n: number): Outcome => ({
  n,
  key: `${n}.jpg`,
  at: 1_000 + n,
  outcome: 'failed',
  reason: 'gone',
})

function add(seq: number, outcomes: readonly Outcome[], source: OutcomeSource = 'asked'): Promise<boolean[]> {
  return database.commit(() => outcomes.map((outcome) => runs.addOutcome(seq, outcome, source)))
}

async function close(run: string, position?: number): Promise<number> {
  const { seq } = await runs.begin(run)
  await database.commit(() => runs.setComplete(seq, position))
  return seq
}

function keysOf(seq: number, count: number): string[] {
  return [...runs.outcomes(seq, count)].map(({ key }) => key)
}

describe('a run', () => {
  it('begins with its first message, once', async () => {
    const [first, second] = await Promise.all([runs.begin('a'), runs.begin('a')])
    expect(second).toEqual(first)
    expect(first).toMatchObject({ run: 'a', state: 'open', isForeign: false, endSeen: false, end: undefined })
    await reopen()
    expect(await runs.begin('a')).toEqual(first)
    expect(runs.open()).toHaveLength(1)
  })

  it('is open until it is complete or abandoned, oldest first', async () => {
    await runs.begin('a')
    const { seq } = await runs.begin('b')
    await runs.begin('c')
    await close('a')
    expect(runs.open().map(({ run }) => run)).toEqual(['b', 'c'])
    await database.commit(() => runs.setAbandoned(seq))
    expect(runs.open().map(({ run }) => run)).toEqual(['c'])
    expect(runs.get('b')?.state).toBe('abandoned')
  })

  it('has the end that was set first', async () => {
    const { seq } = await runs.begin('a')
    await database.commit(() => {
      runs.setEnd(seq, end)
      runs.setEnd(seq, { ...end, count: 99 })
    })
    await reopen()
    expect(runs.get('a')?.end).toEqual(end)
  })

  it('of another implementation is marked, and so is its end', async () => {
    const seq = await database.commit(() => runs.insert('foreign', { isForeign: true }))
    expect(runs.get('foreign')).toMatchObject({ seq, isForeign: true, endSeen: false })
    await database.commit(() => runs.markEndSeen(seq))
    expect(runs.get('foreign')?.endSeen).toBe(true)
    expect(await database.commit(() => runs.insert('foreign'))).toBe(seq)
    expect(runs.get('foreign')?.isForeign).toBe(true)
  })

  it('that began last is shown, whenever it was completed', async () => {
    const older = await runs.begin('20261122T174500Z-zzzz')
    expect(runs.latest()).toBeUndefined()
    expect(runs.isNewest(older.seq)).toBe(true)
    await close('20261122T174501Z-aaaa')
    expect(runs.isNewest(older.seq)).toBe(false)
    await close(older.run)
    expect(runs.latest()).toMatchObject({ run: '20261122T174501Z-aaaa', published: 1 })
    expect(runs.get(older.run)).toMatchObject({ published: 2, publishedAt: expect.any(Number) })
    const abandoned = await runs.begin('20261122T174502Z-aaaa')
    await database.commit(() => runs.setAbandoned(abandoned.seq))
    expect(runs.latest()?.run).toBe('20261122T174501Z-aaaa')
  })

  it('of another implementation began with its first message on this reader', async () => {
    await close('20261122T174501Z-aaaa')
    await close('foreign-20261122T174502Z-aaaa')
    await close('foreign-20261122T174500Z-aaaa')
    expect(runs.latest()?.run).toBe('foreign-20261122T174502Z-aaaa')
  })

  it('of those that began within a second is the one that was finished last', async () => {
    for (const name of ['bbbb', 'cccc', 'aaaa']) await close(`20261122T174500Z-${name}`)
    expect(runs.latest()?.run).toBe('20261122T174500Z-aaaa')
  })

  it('has its own place in the order of this reader, whatever its place in the results bucket', async () => {
    await close('a')
    await close('b', 1)
    await close('c', 7)
    await close('d')
    expect(['a', 'b', 'c', 'd'].map((run) => runs.get(run)?.published)).toEqual([1, 2, 3, 4])
    expect(['a', 'b', 'c', 'd'].map((run) => runs.get(run)?.position)).toEqual([undefined, 1, 7, undefined])
  })

  it('keeps what is shown of its progress', async () => {
    const { seq } = await runs.begin('a')
    await database.commit(() =>
      runs.setProgress(seq, { perSecond: 2, waiting: 'waiting', requests: { DetectText: 3 } }),
    )
    expect(runs.get('a')?.requests).toEqual({ DetectText: 3 })
  })
})

describe('an outcome', () => {
  it('is kept as it was', async () => {
    const { seq } = await runs.begin('a')
    const given: Outcome[] = [
      { ...text(1), etag: '"e"', confidence: 91.5, boxes: [[0, 0, 1, 1]], sentAt: 5 },
      noText(2),
      failed(3),
    ]
    await add(seq, given)
    await reopen()
    expect([...runs.outcomes(seq, 3)]).toEqual(given)
    expect(runs.newestOutcomeAt(seq)).toBe(1_003)
    expect(runs.newestOutcomeAt(99)).toBe(0)
  })

  it('is the first one of its number; repeated ones count nothing', async () => {
    const { seq } = await runs.begin('a')
    expect(await add(seq, [text(1), noText(2)], 'asked')).toEqual([true, true])
    expect(await add(seq, [noText(1), failed(2)], 'reused')).toEqual([false, false])
    expect(await add(seq, [failed(3)], 'none')).toEqual([true])
    expect(await add(seq, [text(4)], 'reused')).toEqual([true])
    expect(runs.get('a')).toMatchObject({ recorded: 4, texts: 2, failed: 1, asked: 2, reused: 1 })
    expect(runs.hasOutcome(seq, 1)).toBe(true)
    expect(runs.hasOutcome(seq, 5)).toBe(false)
    expect(runs.hasOutcome(seq + 1, 1)).toBe(false)
    expect([...runs.outcomes(seq, 9)].map(({ outcome }) => outcome)).toEqual([
      'text',
      'no-text',
      'failed',
      'text',
    ])
  })

  it('beyond the count of its run is no part of it', async () => {
    const { seq } = await runs.begin('a')
    await add(seq, [text(1), text(2), text(4), text(9)])
    expect(runs.countOutcomes(seq, 3)).toBe(2)
    expect(runs.countOutcomes(seq, 9)).toBe(4)
    expect(runs.countOutcomes(seq, 0)).toBe(0)
    expect(keysOf(seq, 3)).toEqual(['1.jpg', '2.jpg'])
    expect([...runs.missing(seq, 3)]).toEqual([3])
  })

  it.each([
    [[], 0, []],
    [[], 3, [1, 2, 3]],
    [[1, 2, 3], 3, []],
    [[2], 3, [1, 3]],
    [[1, 5, 9], 5, [2, 3, 4]],
    [[3, 4], 2, [1, 2]],
  ])('is missing where there is none: of %j up to %d: %j', async (numbers, count, expected) => {
    const { seq } = await runs.begin('a')
    await add(
      seq,
      numbers.map((n) => noText(n)),
    )
    expect([...runs.missing(seq, count)]).toEqual(expected)
    expect(runs.missing(seq, count).next().value).toBe(expected[0])
    expect([...runs.missing(seq, count)]).toEqual(expected)
  })
})

describe('the outcomes of a run', () => {
  it('come in the natural order of their keys, each key once', async () => {
    const { seq } = await runs.begin('a')
    const keys = ['10.jpg', '2.jpg', '02.jpg', 'b/10', 'b/9', '2.jpg', '\u{1F697}', '\uFF61']
    await add(
      seq,
      keys.map((key, n) => text(n + 1, key)),
    )
    await add((await runs.begin('b')).seq, [text(1, 'other.jpg')])
    expect(keysOf(seq, 99)).toEqual(['02.jpg', '2.jpg', '10.jpg', 'b/9', 'b/10', '\uFF61', '\u{1F697}'])
    const [, second] = runs.outcomes(seq, 99)
    expect(second?.n).toBe(2)
  })

  it('of a key with two numbers are the one within the count', async () => {
    const { seq } = await runs.begin('a')
    await add(seq, [text(1, 'a'), text(5, 'b'), noText(2, 'b'), text(3, 'c'), text(9, 'c')])
    expect([...runs.outcomes(seq, 3)].map(({ n, key }) => [n, key])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ])
  })

  it('are all there beyond a thousand, wherever a page ends', async () => {
    const { seq } = await runs.begin('a')
    for (let first = 0; first < 3_500; first += 500) {
      // Every key has two numbers: pages end between them too.
      await add(
        seq,
        Array.from({ length: 500 }, (_, n) => noText(first + n + 1, `${(first + n) % 1_750}.jpg`)),
      )
    }
    const keys = keysOf(seq, 3_500)
    expect(keys).toEqual(Array.from({ length: 1_750 }, (_, n) => `${n}.jpg`))
    expect(runs.countOutcomes(seq, 3_500)).toBe(3_500)
  })

  it('can be read while others are written', async () => {
    const { seq } = await runs.begin('a')
    await add(
      seq,
      Array.from({ length: 1_500 }, (_, n) => noText(n + 1)),
    )
    const keys: string[] = []
    for (const { key } of runs.outcomes(seq, 1_500)) {
      keys.push(key)
      if (keys.length % 700 === 0) await add(seq, [noText(2_000 + keys.length)])
    }
    expect(keys).toHaveLength(1_500)
  })
})

describe('closed runs', () => {
  it('lose what they no longer need, however much there is', async () => {
    const a = await runs.begin('a')
    const b = await runs.begin('b')
    await add(
      a.seq,
      Array.from({ length: 2_100 }, (_, n) => noText(n + 1)),
    )
    await add(b.seq, [noText(1)])
    await database.commit(() => {
      database.prepare('INSERT INTO foreign_images (run, n, key) VALUES (?, 1, ?)').run(a.seq, 'x')
      database.prepare('INSERT INTO foreign_messages (id, run) VALUES (?, ?)').run('m', a.seq)
    })
    await runs.deleteDetails()
    expect(runs.countOutcomes(a.seq, 9_999)).toBe(2_100)
    await close('a')
    await runs.deleteDetails()
    expect(runs.countOutcomes(a.seq, 9_999)).toBe(0)
    expect(runs.countOutcomes(b.seq, 9_999)).toBe(1)
    expect(database.prepare('SELECT * FROM foreign_images').all()).toEqual([])
    expect(database.prepare('SELECT * FROM foreign_messages').all()).toHaveLength(1)
    expect(runs.get('a')).toMatchObject({ state: 'complete', recorded: 2_100 })
  })

  it('beyond the newest are to be deleted; they are remembered as long as messages may come', async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ['Date'], now: start })
    for (const run of ['a', 'b', 'c']) await close(run)
    await runs.begin('open')
    expect((await runs.prune(2)).sort()).toEqual(['a'])
    expect(runs.get('a')?.state).toBe('complete')
    vi.setSystemTime(start + 29 * day)
    expect(await runs.prune(2)).toEqual(['a'])
    expect(runs.get('a')).toBeDefined()
    vi.setSystemTime(start + 31 * day)
    expect(await runs.prune(2)).toEqual(['a'])
    expect(runs.get('a')).toBeUndefined()
    expect(await runs.prune(2)).toEqual([])
    expect(['b', 'c', 'open'].map((run) => runs.get(run)?.run)).toEqual(['b', 'c', 'open'])
    expect((await runs.begin('d')).seq).toBe(5)
  })

  it('that are forgotten leave no trace', async () => {
    const { seq } = await runs.begin('a')
    await add(seq, [noText(1)])
    await database.commit(() => {
      database.prepare('INSERT INTO foreign_images (run, n, key) VALUES (?, 1, ?)').run(seq, 'x')
      database.prepare('INSERT INTO foreign_messages (id, run) VALUES (?, ?)').run('m', seq)
      runs.forget(seq)
    })
    for (const table of ['runs', 'outcomes', 'foreign_images', 'foreign_messages'])
      expect(database.prepare(`SELECT * FROM ${table}`).all()).toEqual([])
  })

  it('keep the one that results.txt shows, then those that began last', async () => {
    for (const run of ['d', 'b', 'a']) await close(run)
    for (const run of ['e', 'f']) {
      const { seq } = await runs.begin(run)
      await database.commit(() => runs.setAbandoned(seq))
    }
    expect((await runs.prune(1)).sort()).toEqual(['a', 'b', 'e', 'f'])
    expect((await runs.prune(4)).sort()).toEqual(['a'])
    expect(runs.latest()?.run).toBe('d')
  })

  it('take along the answers that no kept run has used', async () => {
    const answers = new AnswerStore<string>(database, 'bucket', 'DetectText')
    const open = await runs.begin('open')
    const seqs = { open: open.seq, b: await close('b'), c: await close('c'), d: await close('d') }
    const answer = { kind: 'answer', model: '3', content: '' } as const
    await database.commit(() => {
      for (const [key, seq] of Object.entries(seqs))
        answers.put({ key, etag: 'e' }, answer, { by: key, seq, at: 0, minConfidence: 0 })
      answers.put({ key: 'used again', etag: 'e' }, answer, { by: 'b', seq: seqs.b, at: 0, minConfidence: 0 })
      answers.use('used again', seqs.c)
    })
    const kept = () => [...answers.between({ prefix: '', after: '', last: undefined })].map(({ key }) => key)
    await runs.prune(100)
    expect(kept()).toEqual(['b', 'c', 'd', 'open', 'used again'])
    await runs.prune(2)
    expect(kept()).toEqual(['c', 'd', 'open', 'used again'])
    await runs.prune(1)
    expect(kept()).toEqual(['d', 'open'])
  })

  it('leave the answers that a kept run and a late, older one have used', async () => {
    const answers = new AnswerStore<string>(database, 'bucket', 'DetectText')
    const [newer, older] = [await close('b'), await close('a')]
    await database.commit(() => {
      const answer = { kind: 'answer', model: '3', content: '' } as const
      answers.put({ key: 'k', etag: 'e' }, answer, { by: 'b', seq: newer, at: 0, minConfidence: 0 })
      answers.use('k', older)
    })
    expect(await runs.prune(1)).toEqual(['a'])
    expect(answers.anyKey('')).toBe('k')
  })
})
