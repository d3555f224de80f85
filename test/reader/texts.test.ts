import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ImageSteps } from '../../src/aws/image-steps.ts'
import type { TextAnswer } from '../../src/aws/rekognition.ts'
import { type ObjectHead, replaced, type S3Images } from '../../src/aws/s3.ts'
import { ByteSemaphore } from '../../src/flow/byte-semaphore.ts'
import { Failure } from '../../src/flow/failure.ts'
import { ImageAttempts } from '../../src/flow/image-attempts.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { TaskPool } from '../../src/flow/task-pool.ts'
import type { TextLine } from '../../src/protocol/outcomes.ts'
import { type ImageText, TextReader, type WantedImage } from '../../src/reader/texts.ts'
import { AnswerStore } from '../../src/state/answers.ts'
import { DailyLimitReached } from '../../src/state/calls.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { TestDatabase } from '../state/test-database.ts'

const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
const { signal } = new AbortController()
const never = Number.POSITIVE_INFINITY
const line: TextLine = { text: 'A', confidence: 99, polygon: [] }
const head: ObjectHead = { size: 5, etag: 'e', storageClass: undefined, isArchived: false, isConfirmed: true }
/** As it comes: a message has more properties than are wanted. */
const message = { kind: 'image', key: '1.jpg', etag: 'e', sizeBytes: 5 }
const image: WantedImage = message
const withoutEtag: WantedImage = { key: '1.jpg', etag: undefined, sizeBytes: undefined }

let download: ReturnType<typeof vi.fn<S3Images['download']>>
let files: TestDatabase
let database: StateDatabase
let answers: AnswerStore<readonly TextLine[]>
let detect: ReturnType<typeof vi.fn<() => Promise<TextAnswer>>>
let headObject: ReturnType<typeof vi.fn<() => Promise<ObjectHead>>>
let waitForCalls: ReturnType<typeof vi.fn<() => Promise<void>>>

beforeEach(async () => {
  files = new TestDatabase('reader')
  database = await files.open()
  answers = new AnswerStore(database, 'bucket', 'DetectText')
  detect = vi.fn(async () => ({ model: '3', lines: [line] }))
  headObject = vi.fn(async () => head)
  download = vi.fn(async () => ({ bytes: new Uint8Array(5), etag: 'e' }))
  waitForCalls = vi.fn(async () => {})
})

afterEach(() => files.delete())

function create(): TextReader {
  const steps = new ImageSteps({
    operation: 'DetectText',
    detect,
    dispatcher: { call: (_, send, around = (attempt) => attempt()) => around(() => send(signal)) },
    images: {
      head: headObject,
      download,
      probe: async () => {},
    },
    memory: new ByteSemaphore(100),
    bucket: 'bucket',
    aroundCall: (attempt) => attempt(),
    onWitnessAnswer: async () => {},
    readableKey: undefined,
    signal,
  })
  const outages = new OutageLog(log)
  const policy = { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never }
  const attempts = new ImageAttempts({
    what: 'read the text of images',
    maxAttempts: 3,
    probes: {},
    outages,
    pool: new TaskPool(() => 100),
    policy,
    signal,
  })
  return new TextReader({ steps, attempts, answers, exchange: undefined, bucket: 'bucket', waitForCalls })
}

/** The commit of an outcome: takes as long as the test says. */
function recording() {
  const texts: ImageText[] = []
  const committed = Promise.withResolvers<void>()
  const record = async (text: ImageText) => {
    texts.push(text)
    await committed.promise
    if (text.kind !== 'answered' || !text.isNew) return
    const asked = { by: 'run', seq: 1, at: 0, minConfidence: 0 }
    await database.commit(() => answers.put({ key: image.key, etag: text.etag ?? '' }, text.answer, asked))
  }
  return { texts, record, commit: committed.resolve }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0))

describe('two messages about one object at a time', () => {
  it.each([
    ['both name its ETag', image, image],
    ['the first one names none', withoutEtag, image],
    ['the second one names none', image, withoutEtag],
    ['none names one', withoutEtag, withoutEtag],
  ])('share one call, and the second is recorded when the first is durable: %s', async (_, a, b) => {
    const reader = create()
    const [first, second] = [recording(), recording()]
    const readings = [reader.read(a, undefined, first.record)]
    await vi.waitFor(() => expect(first.texts).toHaveLength(1))
    readings.push(reader.read(b, undefined, second.record))
    await settle()
    expect(second.texts).toEqual([])
    second.commit()
    first.commit()
    await Promise.all(readings)
    expect(detect).toHaveBeenCalledOnce()
    expect(first.texts).toMatchObject([{ kind: 'answered', isNew: true }])
    expect(second.texts).toMatchObject([{ kind: 'answered', isNew: false, etag: 'e' }])
    expect(answers.find({ key: '1.jpg', etag: 'e' }, { maxMinConfidence: 0 })).toBeDefined()
  })

  it('each ask when each run wants answers of its own', async () => {
    const reader = create()
    const [first, second] = [recording(), recording()]
    first.commit()
    second.commit()
    await Promise.all([reader.read(image, 'run 1', first.record), reader.read(image, 'run 2', second.record)])
    expect(detect).toHaveBeenCalledTimes(2)
  })

  it('fail together when the first cannot be recorded, and the next one asks again', async () => {
    const reader = create()
    const { record } = recording()
    const readings = [
      reader.read(image, undefined, () => Promise.reject(new RangeError('disk'))),
      reader.read(image, undefined, record),
    ]
    for (const reading of readings) await expect(reading).rejects.toThrow('disk')
    const third = recording()
    third.commit()
    await reader.read(image, undefined, third.record)
    expect(detect).toHaveBeenCalledTimes(2)
  })
})

describe('an answer that is known', () => {
  it.each([
    ['with its ETag', image],
    ['without it', withoutEtag],
  ])('needs no call, and no waiting for the daily limit: %s', async (_, wanted) => {
    const first = recording()
    first.commit()
    await create().read(image, undefined, first.record)
    detect.mockClear()
    waitForCalls.mockReset().mockReturnValue(new Promise(() => {}))
    const second = recording()
    second.commit()
    await create().read(wanted, undefined, second.record)
    expect(second.texts).toMatchObject([{ kind: 'answered', isNew: false }])
    expect(detect).not.toHaveBeenCalled()
  })
})

describe('an image', () => {
  it('is asked about again when the daily limit was reached', async () => {
    detect.mockRejectedValueOnce(new DailyLimitReached(5, 0))
    const { texts, record, commit } = recording()
    commit()
    await create().read(image, undefined, record)
    expect(waitForCalls).toHaveBeenCalledTimes(2)
    expect(texts).toMatchObject([{ kind: 'answered' }])
  })

  it.each([
    ['that is gone', withoutEtag, new Failure('subject', 'HeadObject', 'gone')],
    ['that is archived', withoutEtag, { ...head, isArchived: true }],
    ['that was replaced', { ...image, sizeBytes: undefined }, { ...head, etag: 'other' }],
    ['that is empty', withoutEtag, { ...head, size: 0 }],
  ])('%s is a failure of that run, and costs no call', async (_, wanted, found) => {
    if (found instanceof Failure) headObject.mockRejectedValue(found)
    else headObject.mockResolvedValue(found)
    const { texts, record, commit } = recording()
    commit()
    await create().read(wanted, undefined, record)
    expect(texts).toMatchObject([{ kind: 'failed', reason: expect.any(String) }])
    expect(detect).not.toHaveBeenCalled()
  })

  it('that Rekognition refuses has an answer', async () => {
    detect.mockRejectedValue(new Failure('subject', 'DetectText', 'DetectText: not an image'))
    const { texts, record, commit } = recording()
    commit()
    await create().read(image, undefined, record)
    expect(texts).toMatchObject([{ kind: 'answered', isNew: true, answer: { kind: 'refusal' } }])
  })
})

describe('an object that is replaced while it is waited for', () => {
  const gone = () => replaced('GetObject', 'it was listed')

  it('is looked up again if its message names no ETag', async () => {
    headObject.mockResolvedValueOnce({ ...head, etag: 'old' })
    download.mockRejectedValueOnce(gone())
    const { texts, record, commit } = recording()
    commit()
    await create().read(withoutEtag, undefined, record)
    expect(texts).toMatchObject([{ kind: 'answered', etag: 'e' }])
    expect(download.mock.calls.map(([, , { etag }]) => etag)).toEqual(['old', 'e'])
  })

  it('is a failure if the detector has seen another one', async () => {
    download.mockRejectedValue(gone())
    const { texts, record, commit } = recording()
    commit()
    await create().read(image, undefined, record)
    expect(texts).toMatchObject([{ kind: 'failed', reason: expect.stringContaining('was replaced') }])
  })

  it('again and again is a failure', async () => {
    download.mockRejectedValue(gone())
    const { texts, record, commit } = recording()
    commit()
    await create().read(withoutEtag, undefined, record)
    expect(texts).toMatchObject([{ kind: 'failed', isReplaced: true }])
    expect(headObject).toHaveBeenCalledTimes(5)
  })

  it('is a failure for the message that has seen it, and looked up again for the other', async () => {
    const reader = create()
    const answer = Promise.withResolvers<never>()
    download.mockReturnValueOnce(answer.promise)
    const [first, second] = [recording(), recording()]
    first.commit()
    second.commit()
    const readings = [reader.read(image, undefined, first.record)]
    await settle()
    readings.push(reader.read(withoutEtag, undefined, second.record))
    await settle()
    answer.reject(gone())
    await Promise.all(readings)
    expect(first.texts).toMatchObject([{ kind: 'failed' }])
    expect(second.texts).toMatchObject([{ kind: 'answered' }])
  })

  it('by an answer that is not from S3 is not', async () => {
    headObject.mockResolvedValueOnce({ ...head, etag: 'other', isConfirmed: false })
    const { texts, record, commit } = recording()
    commit()
    await create().read({ ...image, sizeBytes: undefined }, undefined, record)
    expect(texts).toMatchObject([{ kind: 'answered' }])
  })
})
