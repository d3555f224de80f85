import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import type { ListedObject, S3Images } from '../../src/aws/s3.ts'
import type { KeptLabels } from '../../src/detector/labels.ts'
import { ImageSetDigest, type Listing } from '../../src/detector/listing.ts'
import {
  estimatedTextCalls,
  type PlanLimits,
  planLines,
  planOf,
  type RunPlan,
  type UsableAnswers,
} from '../../src/detector/plan.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { type Answer, AnswerStore } from '../../src/state/answers.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { DetectorRuns, type RunSettings } from '../../src/state/detector-runs.ts'
import { TestDatabase } from '../state/test-database.ts'

let files: TestDatabase
let database: StateDatabase
let answers: AnswerStore<KeptLabels>
let runs: DetectorRuns

beforeEach(async () => {
  files = new TestDatabase('detector')
  database = await files.open()
  answers = new AnswerStore(database, 'bucket', 'DetectLabels')
  runs = new DetectorRuns(database)
})

afterEach(() => files.delete())

const settings = {
  bucket: 'bucket',
  prefix: '',
  maxImages: 0,
  label: 'Car',
  minConfidence: 90,
  queue: 'imgpipe',
  region: 'eu-central-1',
  reuseAnswers: true,
}

const labels = (confidence: number): Answer<KeptLabels> => ({
  kind: 'answer',
  model: '3.0',
  content: [
    ['Car', confidence, []],
    ['Tree', 99, []],
  ],
})
const refusal: Answer<KeptLabels> = { kind: 'refusal', reason: 'not an image' }

/** Key → ETag of the bucket's objects; a class where it is not the usual one. */
type Bucket = Readonly<Record<string, string | { etag: string; storageClass: string }>>

function objectsOf(bucket: Bucket, prefix: string): ListedObject[] {
  return Object.entries(bucket)
    .filter(([key]) => key.startsWith(prefix))
    .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([key, value]) => ({
      key,
      size: 1,
      storageClass: typeof value === 'string' ? undefined : value.storageClass,
      etag: typeof value === 'string' ? value : value.etag,
    }))
}

/** The bucket in pages of so many keys, with an empty page behind each of them. */
function listingOf(bucket: Bucket, { prefix = '', maxImages = 0, pageSize = 2 } = {}): Listing {
  const objects = objectsOf(bucket, prefix)
  const listPage: S3Images['listPage'] = async (from) => {
    const start = 'token' in from ? Number(from.token) : 0
    // A token that is no whole number leads to an empty page.
    if (start % 1 !== 0) return { objects: [], next: { token: String(start + 0.5) } }
    const end = start + pageSize
    const next = end < objects.length ? { token: String(end - 0.5) } : undefined
    return { objects: objects.slice(start, end), next }
  }
  const never = Number.POSITIVE_INFINITY
  return {
    images: { listPage } as S3Images,
    bucket: 'bucket',
    prefix,
    maxImages,
    retry: {
      policy: { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never },
      outages: new OutageLog({ error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }),
      signal: new AbortController().signal,
    },
  }
}

function answered(
  key: string,
  etag: string,
  answer: Answer<KeptLabels>,
  { minConfidence = 50, by = 'old' } = {},
): Promise<void> {
  return database.commit(() => answers.put({ key, etag }, answer, { by, seq: 1, at: 0, minConfidence }))
}

/** A finished run over a bucket, in which some keys failed. */
async function finished(bucket: Bucket, { failed = [] as string[], prefix = '' } = {}): Promise<void> {
  const of: RunSettings = { ...settings, prefix }
  const { seq } = await runs.begin(`run-${runs.unfinished().length}-${prefix}`, {
    settings: of,
    fresh: false,
    at: 0,
    queueCreatedAt: undefined,
  })
  const digest = new ImageSetDigest()
  const images = objectsOf(bucket, prefix).filter(({ key }) => key.endsWith('.jpg'))
  for (const { key, etag } of images) digest.add(key, etag)
  const progress = {
    processed: 0,
    total: undefined,
    cars: 0,
    failed: 0,
    perSecond: 0,
    waiting: undefined,
    requests: {},
  }
  await database.commit(() => {
    for (const key of failed) runs.addFailure(seq, { key, reason: 'failed' })
    const checkpoint = {
      lastKey: '',
      images: images.length,
      skipped: 0,
      reused: 0,
      digest: digest.toString(),
    }
    runs.checkpoint(seq, checkpoint, progress)
    runs.setState(seq, 'done')
  })
}

function plan(
  bucket: Bucket,
  change: Partial<typeof settings> & { pageSize?: number; usable?: UsableAnswers } = {},
): Promise<RunPlan> {
  const { pageSize, usable = 'any', ...changed } = change
  const all = { ...settings, ...changed }
  const { prefix, maxImages } = all
  const listing = listingOf(bucket, { prefix, maxImages, ...(pageSize && { pageSize }) })
  return planOf(listing, { settings: all, answers, runs, usable })
}

const nothing = {
  images: 0,
  new: 0,
  changed: 0,
  unchanged: 0,
  repeated: 0,
  retried: 0,
  removed: 0,
  known: 0,
  knownCars: 0,
  newCars: 0,
  calls: 0,
  isSameSet: false,
}

describe('the plan of a run', () => {
  it('of a first run is to ask about every image', async () => {
    expect(await plan({ '1.jpg': 'a', '2.png': 'b', '3.txt': 'c' })).toEqual({
      ...nothing,
      images: 2,
      new: 2,
      calls: 2,
    })
  })

  it('of an empty bucket is nothing, and so it is when nothing is left', async () => {
    expect(await plan({})).toEqual(nothing)
    await answered('1.jpg', 'a', labels(99))
    expect(await plan({})).toEqual({ ...nothing, removed: 1 })
  })

  test.each([1, 2, 3, 1000])(
    'tells new, changed, unchanged and removed images, in pages of %d',
    async (pageSize) => {
      await answered('0 removed.jpg', 'a', labels(99))
      await answered('1 unchanged.jpg', 'a', labels(99))
      await answered('2 unchanged.jpg', 'b', labels(80))
      await answered('3 refused.jpg', 'c', refusal)
      await answered('4 changed.jpg', 'd', labels(99))
      await answered('5 removed.jpg', 'e', refusal)
      await answered('9 removed.jpg', 'f', labels(99))
      const bucket = {
        '0.txt': 't',
        '1 unchanged.jpg': 'a',
        '2 unchanged.jpg': 'b',
        '3 refused.jpg': 'c',
        '4 changed.jpg': 'replaced',
        '6 new.jpg': 'g',
        '7.txt': 't',
      }
      expect(await plan(bucket, { pageSize })).toEqual({
        ...nothing,
        images: 5,
        new: 1,
        changed: 1,
        unchanged: 3,
        removed: 3,
        known: 3,
        knownCars: 1,
        newCars: 1,
        calls: 2,
      })
    },
  )

  it('over an unchanged bucket is the same set, whatever else is in the bucket', async () => {
    const bucket = { '1.jpg': 'a', '2.jpg': 'b', '3.txt': 'c' }
    for (const [key, etag] of Object.entries(bucket))
      if (key !== '3.txt') await answered(key, etag, labels(99))
    await finished(bucket)
    const same = { ...nothing, images: 2, unchanged: 2, known: 2, knownCars: 2, isSameSet: true }
    expect(await plan(bucket)).toEqual(same)
    expect(await plan({ ...bucket, '3.txt': 'other', '4.txt': 'd' })).toEqual(same)
    expect((await plan({ ...bucket, '1.jpg': 'replaced' })).isSameSet).toBe(false)
    expect((await plan({ '1.jpg': 'a' })).isSameSet).toBe(false)
    expect((await plan({ ...bucket, '0.jpg': 'new' })).isSameSet).toBe(false)
    expect((await plan(bucket, { maxImages: 1 })).isSameSet).toBe(false)
  })

  it('asks again about what failed in the last run, but not about refusals', async () => {
    const bucket = { '1.jpg': 'a', '2.jpg': 'b', '3.jpg': 'c' }
    await answered('1.jpg', 'a', labels(99))
    await answered('2.jpg', 'b', refusal)
    await finished(bucket, { failed: ['2.jpg', '3.jpg'] })
    expect(await plan(bucket)).toMatchObject({ unchanged: 2, retried: 1, new: 0, calls: 1, isSameSet: true })
    expect(await plan({ ...bucket, '2.jpg': 'replaced' })).toMatchObject({ changed: 1, retried: 1, calls: 2 })
  })

  it('does not ask again about archived objects that failed, but about new and replaced ones', async () => {
    const archived = (etag: string) => ({ etag, storageClass: 'GLACIER' })
    const bucket = { '1.jpg': archived('a'), '2.jpg': archived('b') }
    await finished(bucket, { failed: ['1.jpg'] })
    expect(await plan(bucket)).toMatchObject({ unchanged: 1, new: 1, retried: 0, calls: 1 })
    await answered('1.jpg', 'a', labels(99))
    expect(await plan({ '1.jpg': archived('replaced') })).toMatchObject({ changed: 1, calls: 1 })
    expect(await plan({ '1.jpg': { etag: 'x', storageClass: 'STANDARD' } })).toMatchObject({ changed: 1 })
  })

  it('of another label or a higher threshold needs no call', async () => {
    await answered('1.jpg', 'a', labels(95))
    const bucket = { '1.jpg': 'a' }
    expect(await plan(bucket, { minConfidence: 90 })).toMatchObject({ calls: 0, knownCars: 1 })
    expect(await plan(bucket, { minConfidence: 95 })).toMatchObject({ calls: 0, knownCars: 0 })
    expect(await plan(bucket, { label: 'Tree' })).toMatchObject({ calls: 0, knownCars: 1 })
    expect(await plan(bucket, { label: 'Truck' })).toMatchObject({ calls: 0, knownCars: 0 })
    expect(await plan(bucket, { minConfidence: 50 })).toMatchObject({ calls: 0, knownCars: 1 })
  })

  it('of a threshold below what was asked for asks again, but not about refusals', async () => {
    await answered('1.jpg', 'a', labels(95))
    await answered('2.jpg', 'b', refusal)
    const bucket = { '1.jpg': 'a', '2.jpg': 'b' }
    expect(await plan(bucket, { minConfidence: 49 })).toMatchObject({
      new: 0,
      repeated: 1,
      unchanged: 1,
      calls: 1,
      knownCars: 1,
    })
  })

  it('without earlier answers asks about everything', async () => {
    await answered('1.jpg', 'a', labels(95))
    await answered('2.jpg', 'b', labels(95))
    const bucket = { '1.jpg': 'a', '2.jpg': 'replaced' }
    expect(await plan(bucket, { usable: 'none' })).toMatchObject({
      new: 0,
      repeated: 1,
      changed: 1,
      calls: 2,
      knownCars: 1,
    })
  })

  it('that is resumed and asks about everything, repeats what other runs have asked', async () => {
    await answered('1.jpg', 'a', labels(95), { by: 'run-9' })
    await answered('2.jpg', 'b', labels(95))
    const bucket = { '1.jpg': 'a', '2.jpg': 'b', '3.jpg': 'c' }
    expect(await plan(bucket, { usable: { askedBy: 'run-9' } })).toMatchObject({
      unchanged: 1,
      repeated: 1,
      new: 1,
      calls: 2,
    })
  })

  it('of a prefix knows nothing of the rest of the bucket', async () => {
    for (const key of ['a.jpg', 'b/1.jpg', 'b/2.jpg', 'b0.jpg', 'c.jpg']) await answered(key, 'e', labels(95))
    await finished({ 'b/1.jpg': 'e' }, { prefix: 'b/' })
    const bucket = { 'a.jpg': 'e', 'b/1.jpg': 'e', 'c.jpg': 'e' }
    expect(await plan(bucket, { prefix: 'b/' })).toEqual({
      ...nothing,
      images: 1,
      unchanged: 1,
      removed: 1,
      known: 1,
      knownCars: 1,
      isSameSet: true,
    })
    expect((await plan(bucket)).isSameSet).toBe(false)
  })

  it('of a limited number of images takes nothing behind them as removed', async () => {
    for (const key of ['1.jpg', '1 removed.jpg', '3.jpg', '4 removed.jpg'])
      await answered(key, 'e', labels(95))
    const bucket = { '1.jpg': 'e', '2.jpg': 'e', '3.jpg': 'e' }
    for (const pageSize of [1, 2, 3, 4]) {
      const of = (maxImages: number) => plan(bucket, { maxImages, pageSize })
      expect(await of(1)).toMatchObject({ images: 1, unchanged: 1, new: 0, removed: 1 })
      expect(await of(2)).toMatchObject({ images: 2, unchanged: 1, new: 1, removed: 1 })
      // The listing has come to its end, so what lies behind is known to be gone.
      expect(await of(3)).toMatchObject({ images: 3, unchanged: 2, new: 1, removed: 2 })
    }
  })
})

describe('the calls of the reader', () => {
  const textCalls = async (...of: Parameters<typeof plan>) => estimatedTextCalls(await plan(...of))
  const bucket = { '1.jpg': 'a', '2.jpg': 'b' }
  beforeEach(async () => {
    await answered('1.jpg', 'a', labels(95))
    await answered('2.jpg', 'b', labels(85))
    await finished(bucket)
  })

  it('are none when nothing changes', async () => {
    expect(await textCalls(bucket)).toBe(0)
  })

  test.each([
    ['a lower threshold', { minConfidence: 80 }, 1],
    ['a higher threshold', { minConfidence: 96 }, 0],
    ['another label', { label: 'Tree' }, 0],
    ['a label that others have too', { label: 'Tree', minConfidence: 60 }, 0],
  ])('are about images that the last run did not send: %s', async (_, change, before) => {
    // The label Tree is above every threshold: what the last run sent depends on Car.
    const expected = 'label' in change ? 1 : before
    expect(await textCalls(bucket, change)).toBe(expected)
  })

  it('are as many for new images as show a car among the known ones', async () => {
    const more = { ...bucket, '3.jpg': 'c', '4.jpg': 'd', '5.jpg': 'e', '6.jpg': 'f' }
    expect(await textCalls(more)).toBe(2)
  })

  it('are about cars that a later run has found and not brought to its end', async () => {
    await answered('3.jpg', 'c', labels(95), { by: 'run-9' })
    expect(await textCalls({ ...bucket, '3.jpg': 'c' })).toBe(1)
  })

  it('are about every car again when all is asked again', async () => {
    expect(await textCalls(bucket, { usable: 'none' })).toBe(1)
  })
})

describe('the plan in words', () => {
  const some = { ...nothing, images: 1_000, new: 900, changed: 10, unchanged: 90, removed: 3, calls: 910 }
  const limits = { ratePerSecond: 0, maxCallsPerDay: 0, callsLeftToday: 0 }
  const first = /^plan: 1000 images: 900 new, 10 changed, 90 unchanged, 3 removed$/
  const second = /^plan: 910 DetectLabels calls, [^,]*$/
  const limit = (left: number, days: number) =>
    new RegExp(`at most 500 calls a day .*, ${left} of them left today: the run takes ${days} days$`)

  test.each<[Partial<RunPlan>, Partial<PlanLimits>, RegExp[]]>([
    [{}, {}, [first, second]],
    [{ retried: 5 }, {}, [/3 removed, 5 failed before$/, second]],
    [{ repeated: 5 }, {}, [/3 removed, 5 to analyse again$/, second]],
    [{}, { ratePerSecond: 49.96 }, [first, /, about 19 s at 50\.0\/s$/]],
    [{}, { maxCallsPerDay: 500, callsLeftToday: 500 }, [first, second, limit(500, 2)]],
    [{}, { maxCallsPerDay: 500, callsLeftToday: 0 }, [first, second, limit(0, 3)]],
    [{}, { maxCallsPerDay: 1000, callsLeftToday: 910 }, [first, second]],
  ])('%#', (change, limited, expected) => {
    const lines = planLines({ ...some, ...change }, { ...limits, ...limited })
    expect(lines).toEqual(expected.map((line) => expect.stringMatching(line)))
  })
})
