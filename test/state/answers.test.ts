import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import {
  type Answer,
  AnswerStore,
  answersAbout,
  deleteAnswersUsedBy,
  isUsable,
  type StoredAnswer,
} from '../../src/state/answers.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { TestDatabase } from './test-database.ts'

type Content = readonly string[]

let files: TestDatabase
let database: StateDatabase
let answers: AnswerStore<Content>

beforeEach(async () => {
  files = new TestDatabase('reader')
  database = await files.open()
  answers = new AnswerStore(database, 'bucket', 'DetectText')
})

afterEach(() => files.delete())

const model = '3.0'
const text = (...content: string[]): Answer<Content> => ({ kind: 'answer', model, content })
const refusal: Answer<Content> = { kind: 'refusal', reason: 'not an image' }
const anyConfidence = { maxMinConfidence: 100 }

function put(
  key: string,
  answer: Answer<Content>,
  { etag = 'e', by = 'run-1', minConfidence = 50, seq = 1 } = {},
) {
  return database.commit(() => answers.put({ key, etag }, answer, { by, seq, at: 1_000, minConfidence }))
}

describe('an answer', () => {
  it('is found again, in the next process too', async () => {
    await put('2.jpg', text('YHI9 OTZ', '🚗'))
    await put('3.jpg', refusal)
    answers = new AnswerStore(await files.open(), 'bucket', 'DetectText')
    expect(answers.find({ key: '2.jpg', etag: 'e' }, anyConfidence)).toEqual(text('YHI9 OTZ', '🚗'))
    expect(answers.find({ key: '3.jpg', etag: 'e' }, anyConfidence)).toEqual(refusal)
  })

  it('is about one object of one bucket and one operation', async () => {
    await put('2.jpg', text('A'))
    expect(answers.find({ key: '2.jpg', etag: 'other' }, anyConfidence)).toBeUndefined()
    expect(answers.find({ key: '3.jpg', etag: 'e' }, anyConfidence)).toBeUndefined()
    const elsewhere = new AnswerStore<Content>(database, 'other bucket', 'DetectText')
    expect(elsewhere.find({ key: '2.jpg', etag: 'e' }, anyConfidence)).toBeUndefined()
    const labels = new AnswerStore<Content>(database, 'bucket', 'DetectLabels')
    expect(labels.find({ key: '2.jpg', etag: 'e' }, anyConfidence)).toBeUndefined()
    expect([...labels.between({ prefix: '', after: '', last: undefined })]).toEqual([])
    expect(labels.anyKey('')).toBeUndefined()
  })

  it('takes the place of an older one about the same key', async () => {
    await put('2.jpg', text('old'))
    await put('2.jpg', refusal, { etag: 'new', by: 'run-2' })
    expect(answers.find({ key: '2.jpg', etag: 'e' }, anyConfidence)).toBeUndefined()
    expect(answers.find({ key: '2.jpg', etag: 'new' }, anyConfidence)).toEqual(refusal)
  })

  it('is forgotten when its key is removed', async () => {
    await put('2.jpg', text('A'))
    await put('3.jpg', text('B'))
    await database.commit(() => answers.remove(['2.jpg', 'never answered']))
    expect([...answers.between({ prefix: '', after: '', last: undefined })].map(({ key }) => key)).toEqual([
      '3.jpg',
    ])
  })
})

describe('what may be used', () => {
  const stored: StoredAnswer<Content> = {
    key: '2.jpg',
    etag: 'e',
    askedBy: 'run-1',
    minConfidence: 50,
    answer: text('A'),
  }
  test.each<
    [
      string,
      Partial<StoredAnswer<Content>>,
      string | undefined,
      { maxMinConfidence: number; askedBy?: string },
      boolean,
    ]
  >([
    ['the same object', {}, 'e', { maxMinConfidence: 50 }, true],
    ['a higher threshold', {}, 'e', { maxMinConfidence: 90 }, true],
    ['a lower threshold than was asked for', {}, 'e', { maxMinConfidence: 49.9 }, false],
    ['a refusal, whatever the threshold', { answer: refusal }, 'e', { maxMinConfidence: 0 }, true],
    ['a replaced object', {}, 'f', { maxMinConfidence: 90 }, false],
    ['a refusal of a replaced object', { answer: refusal }, 'f', { maxMinConfidence: 90 }, false],
    ['an object without an ETag', {}, undefined, { maxMinConfidence: 90 }, false],
    ['an answer of this run', {}, 'e', { maxMinConfidence: 90, askedBy: 'run-1' }, true],
    ['an answer of another run', {}, 'e', { maxMinConfidence: 90, askedBy: 'run-2' }, false],
    ['a refusal of another run', { answer: refusal }, 'e', { maxMinConfidence: 90, askedBy: 'run-2' }, false],
  ])('%s: %#', (_, change, etag, requirements, expected) => {
    expect(isUsable({ ...stored, ...change }, etag, requirements)).toBe(expected)
  })

  it('is what find gives', async () => {
    await put('2.jpg', text('A'), { minConfidence: 50, by: 'run-1' })
    const find = (requirements: { maxMinConfidence: number; askedBy?: string }) =>
      answers.find({ key: '2.jpg', etag: 'e' }, requirements)
    expect(find({ maxMinConfidence: 50 })).toBeDefined()
    expect(find({ maxMinConfidence: 49 })).toBeUndefined()
    expect(find({ maxMinConfidence: 50, askedBy: 'run-2' })).toBeUndefined()
  })
})

describe('a part of the bucket', () => {
  const keys = [
    'a.jpg',
    'b/',
    'b/1.jpg',
    'b/10.jpg',
    'b/2.jpg',
    'b/\uFF61.jpg',
    'b/\u{1F697}.jpg',
    'b0.jpg',
    'c.jpg',
  ]
  const keysBetween = (prefix: string, after: string, last: string | undefined) =>
    [...answers.between({ prefix, after, last })].map(({ key }) => key)

  beforeEach(async () => {
    for (const key of keys.toReversed()) await put(key, text(key))
  })

  it('is in the order in which S3 lists keys, and says what was kept', () => {
    expect(keysBetween('', '', undefined)).toEqual(keys)
    const [first] = answers.between({ prefix: '', after: '', last: 'a.jpg' })
    expect(first).toEqual({
      key: 'a.jpg',
      etag: 'e',
      askedBy: 'run-1',
      minConfidence: 50,
      answer: text('a.jpg'),
    })
  })

  test.each([
    ['', '', 'a.jpg', ['a.jpg']],
    ['', 'a.jpg', 'b/1.jpg', ['b/', 'b/1.jpg']],
    ['', 'a.jpg', 'a.jpg', []],
    ['', 'b/2.jpg', 'b/\u{1F697}.jpg', ['b/\uFF61.jpg', 'b/\u{1F697}.jpg']],
    ['', 'c.jpg', undefined, []],
    ['b/', '', undefined, ['b/', 'b/1.jpg', 'b/10.jpg', 'b/2.jpg', 'b/\uFF61.jpg', 'b/\u{1F697}.jpg']],
    ['b/', 'b/10.jpg', undefined, ['b/2.jpg', 'b/\uFF61.jpg', 'b/\u{1F697}.jpg']],
    ['b/', '', 'c.jpg', ['b/', 'b/1.jpg', 'b/10.jpg', 'b/2.jpg', 'b/\uFF61.jpg', 'b/\u{1F697}.jpg']],
    ['b/1', '', undefined, ['b/1.jpg', 'b/10.jpg']],
    ['z', '', undefined, []],
  ])('prefix %j, after %j up to %j', (prefix, after, last, expected) => {
    expect(keysBetween(prefix, after, last)).toEqual(expected)
  })

  test.each([
    ['', 'a.jpg'],
    ['b/', 'b/'],
    ['b/1', 'b/1.jpg'],
    ['z', undefined],
    ['a.jpg/', undefined],
  ])('some key with the prefix %j', (prefix, expected) => expect(answers.anyKey(prefix)).toBe(expected))
})

describe('any number of answers', () => {
  const everything = { prefix: '', after: '', last: undefined }
  const keyOf = (n: number) => String(n).padStart(4, '0')
  const count = () => Number(database.prepare('SELECT count(*) AS count FROM answers').get()?.count)

  beforeEach(async () => {
    const asked = { by: 'run-1', at: 1_000, minConfidence: 50 }
    await database.commit(() => {
      for (let n = 0; n < 2_500; n++)
        answers.put({ key: keyOf(n), etag: 'e' }, text('A'), { ...asked, seq: n % 5 })
    })
  })

  it('are read a thousand at a time', () => {
    expect(answers.between(everything)).toHaveLength(1_000)
    const [first, ...others] = answers.between({ ...everything, after: keyOf(1_499) })
    expect([first?.key, others.length]).toEqual([keyOf(1_500), 999])
  })

  it('about keys that are not listed come in parts, between the turns of the event loop', async () => {
    const listed = new Set([keyOf(0), keyOf(1_234), keyOf(2_499), 'new'])
    const parts: number[] = []
    let turns = 0
    const timer = setInterval(() => turns++)
    const stored = await answersAbout(answers, listed, everything, async (gone) => {
      parts.push(gone.length)
      await database.commit(() => answers.remove(gone))
    })
    clearInterval(timer)
    expect([...stored.keys()]).toEqual([keyOf(0), keyOf(1_234), keyOf(2_499)])
    expect(parts).toEqual([999, 999, 499])
    expect(turns).toBeGreaterThan(1)
    expect(count()).toBe(3)
  })

  it('that closed runs have used are deleted a thousand at a time', async () => {
    const left: number[] = []
    const commit = database.commit.bind(database)
    database.commit = async (write) => {
      const result = await commit(write)
      left.push(count())
      return result
    }
    await deleteAnswersUsedBy(database, [0, 1, 3])
    expect(left).toEqual([1_500, 1_000, 1_000])
    const rows = database.prepare('SELECT DISTINCT used_by FROM answers ORDER BY used_by').all()
    expect(rows.map(({ used_by }) => used_by)).toEqual([2, 4])
  })
})

test('the newest run that used an answer is noted, in whatever order runs use it', async () => {
  await put('2.jpg', text('A'), { seq: 3 })
  const usedBy = () => database.prepare('SELECT used_by FROM answers').get()?.used_by
  await database.commit(() => answers.use('2.jpg', 7))
  expect(usedBy()).toBe(7)
  await database.commit(() => answers.use('2.jpg', 5))
  expect(usedBy()).toBe(7)
  await put('2.jpg', refusal, { seq: 6, etag: 'new' })
  expect(usedBy()).toBe(7)
  expect(answers.find({ key: '2.jpg', etag: 'new' }, anyConfidence)).toEqual(refusal)
})

test('the run that used an answer is noted for this answer only', async () => {
  await put('2.jpg', text('A'), { seq: 1 })
  await put('3.jpg', text('A'), { seq: 1 })
  await database.commit(() => answers.use('2.jpg', 7))
  const rows = database.prepare('SELECT key, used_by FROM answers ORDER BY key').all()
  expect(rows.map(({ key, used_by }) => [key, used_by])).toEqual([
    ['2.jpg', 7],
    ['3.jpg', 1],
  ])
})
