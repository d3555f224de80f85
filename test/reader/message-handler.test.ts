import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import type { Queue } from '../../src/aws/sqs.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import type { TextLine } from '../../src/protocol/outcomes.ts'
import type { ResultsExchange } from '../../src/reader/exchange.ts'
import { ForeignRuns } from '../../src/reader/foreign-runs.ts'
import { HeldMessages } from '../../src/reader/held-messages.ts'
import { MessageHandler, readingOf } from '../../src/reader/message-handler.ts'
import { RunCoordinator } from '../../src/reader/run-coordinator.ts'
import type { ImageText, TextReader, WantedImage } from '../../src/reader/texts.ts'
import { type Answer, AnswerStore } from '../../src/state/answers.ts'
import { DailyCalls } from '../../src/state/calls.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { ReaderRuns } from '../../src/state/reader-runs.ts'
import { TestDatabase } from '../state/test-database.ts'

const run = '20261122T174500Z-3f9a'
const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
const onRecorded = vi.fn()

let files: TestDatabase
let database: StateDatabase
let runs: ReaderRuns
let answers: AnswerStore<readonly TextLine[]>
let coordinator: RunCoordinator
let held: HeldMessages
let outages: OutageLog
/** receipt handles; with what the database knew of the run when they were deleted */
let deleted: string[]
let released: string[]
let outcomesWhenDeleted: number[]
/** what deletes wait for */
let beforeDelete: Promise<void>
let texts: {
  read: ReturnType<typeof vi.fn<(image: WantedImage, askedBy: string | undefined) => Promise<ImageText>>>
}

/** Finds texts as the test says. */
const textReader: Pick<TextReader, 'read'> = {
  read: async (wanted, askedBy, record) => record(await texts.read(wanted, askedBy)),
}

beforeEach(async () => {
  vi.clearAllMocks()
  files = new TestDatabase('reader')
  database = await files.open()
  runs = new ReaderRuns(database)
  answers = new AnswerStore(database, 'bucket', 'DetectText')
  outages = new OutageLog(log)
  deleted = []
  released = []
  outcomesWhenDeleted = []
  beforeDelete = Promise.resolve()
  texts = { read: vi.fn(async () => answered([line('A')])) }
  held = createHeld()
  coordinator = new RunCoordinator({
    stateDir: files.stateDir,
    bucket: 'bucket',
    label: 'Car',
    keepRuns: 100,
    database,
    runs,
    log,
    whenSpace: (_, write) => write(),
    onPublished: () => {},
  })
})

afterEach(async () => {
  await held.release()
  await coordinator.finish(60_000)
  await files.delete()
})

function createHeld(): HeldMessages {
  const never = Number.POSITIVE_INFINITY
  const policy = { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never }
  const queue: Pick<Queue, 'url' | 'deleteBatch' | 'changeVisibilityBatch'> = {
    url: 'https://sqs/queue',
    deleteBatch: async (handles) => {
      outcomesWhenDeleted.push(Number(database.prepare('SELECT count(*) AS n FROM outcomes').get()?.n))
      await beforeDelete
      deleted.push(...handles)
      return []
    },
    changeVisibilityBatch: async (handles) => {
      released.push(...handles)
      return []
    },
  }
  const signal = new AbortController().signal
  return new HeldMessages({
    queue: queue as Queue,
    visibilitySeconds: 30,
    outages,
    retry: { policy, outages, signal },
  })
}

interface HandlerOptions {
  readonly isShared?: boolean
  readonly reuseAnswers?: boolean
  readonly minTextConfidence?: number
  readonly exchange?: Pick<ResultsExchange, 'putAnswer'>
}

function create(options: HandlerOptions = {}): MessageHandler {
  const { isShared = false, reuseAnswers = true, minTextConfidence = 80, exchange } = options
  return new MessageHandler({
    bucket: 'bucket',
    minTextConfidence,
    reuseAnswers,
    coordinator,
    foreign: isShared ? undefined : new ForeignRuns({ database, runs, log, visibilitySeconds: 30 }),
    exchange: exchange as ResultsExchange | undefined,
    held,
    texts: textReader as unknown as TextReader,
    answers,
    calls: new DailyCalls(database, { region: 'r', maxCallsPerDay: 0, now: () => 0 }),
    outages,
    log,
    onRecorded,
  })
}

const line = (text: string, confidence = 99): TextLine => ({ text, confidence, polygon: [] })

function answered(lines: TextLine[], { isNew = true } = {}): ImageText {
  return { kind: 'answered', answer: { kind: 'answer', model: '3', content: lines }, etag: 'e', isNew }
}

const refused: ImageText = {
  kind: 'answered',
  answer: { kind: 'refusal', reason: 'not an image' },
  etag: 'e',
  isNew: true,
}

let handles = 0

function message(Body: string, values: Record<string, string | number> = {}, MessageId?: string): Message {
  const MessageAttributes: Record<string, MessageAttributeValue> = {}
  for (const [name, value] of Object.entries(values))
    MessageAttributes[name] = {
      DataType: typeof value === 'number' ? 'Number' : 'String',
      StringValue: String(value),
    }
  const ReceiptHandle = `handle ${++handles}`
  return {
    Body,
    MessageAttributes,
    ReceiptHandle,
    MessageId: MessageId ?? ReceiptHandle,
    Attributes: { SentTimestamp: '77' },
  }
}

const image = (n: number, values: Record<string, string | number> = {}) =>
  message(`${n}.jpg`, {
    run,
    n,
    bucket: 'bucket',
    etag: 'e',
    size: 5,
    confidence: 95,
    boxes: '[[0,0,1,1]]',
    ...values,
  })

const endOf = (count: number, values: Record<string, string | number> = {}) =>
  message('-1', { run, count, images: 9, failed: 1, ...values })

/** As the reader's loop does. */
function receive(handler: MessageHandler, received: Message): Promise<void> {
  held.add(received)
  return handler.handle(received)
}

function outcomes() {
  const seq = runs.get(run)?.seq ?? 0
  return [...runs.outcomes(seq, Number.MAX_SAFE_INTEGER)]
}

/** Resolves when what happens in the next turns of the event loop has happened. */
async function settle(): Promise<void> {
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('a message about an image', () => {
  it('is read, recorded and then deleted', async () => {
    const received = image(1)
    await receive(create(), received)
    expect(texts.read).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ key: '1.jpg', etag: 'e', sizeBytes: 5 }),
      undefined,
    )
    expect(outcomes()).toEqual([
      {
        n: 1,
        key: '1.jpg',
        etag: 'e',
        confidence: 95,
        boxes: [[0, 0, 1, 1]],
        sentAt: 77,
        at: expect.any(Number),
        outcome: 'text',
        lines: [line('A')],
      },
    ])
    expect(deleted).toEqual([received.ReceiptHandle])
    expect(outcomesWhenDeleted).toEqual([1])
    expect(onRecorded).toHaveBeenCalledOnce()
  })

  it('that is known already is deleted and not read again', async () => {
    const handler = create()
    await receive(handler, image(1))
    await receive(handler, image(1))
    await receive(create(), image(1))
    expect(texts.read).toHaveBeenCalledOnce()
    expect(deleted).toHaveLength(3)
    expect(onRecorded).toHaveBeenCalledOnce()
  })

  it('of a run that is closed is deleted and not read', async () => {
    const handler = create()
    await receive(handler, endOf(0))
    await coordinator.finish(60_000)
    const late = image(1)
    await receive(handler, late)
    expect(deleted).toContain(late.ReceiptHandle)
    expect(texts.read).not.toHaveBeenCalled()
  })

  it('that comes again while it is read is read once, and all its messages are deleted', async () => {
    const handler = create()
    const { promise, resolve } = Promise.withResolvers<ImageText>()
    texts.read.mockReturnValue(promise)
    const messages = [image(1), image(1), image(1)]
    const first = receive(handler, messages[0] as Message)
    await settle()
    // A repeated message holds no slot.
    await Promise.all(messages.slice(1).map((again) => receive(handler, again)))
    expect(deleted).toEqual([])
    resolve(answered([line('A')]))
    await first
    expect(texts.read).toHaveBeenCalledOnce()
    expect(deleted.toSorted()).toEqual(messages.map(({ ReceiptHandle }) => ReceiptHandle).toSorted())
  })

  it('that comes again while it is deleted is deleted too', async () => {
    const handler = create()
    const { promise, resolve } = Promise.withResolvers<void>()
    beforeDelete = promise
    const messages = [image(1), image(1)]
    const first = receive(handler, messages[0] as Message)
    while (outcomesWhenDeleted.length === 0) await settle()
    const second = receive(handler, messages[1] as Message)
    await settle()
    resolve()
    await Promise.all([first, second])
    expect(deleted).toEqual(messages.map(({ ReceiptHandle }) => ReceiptHandle))
  })

  it('beyond the count of its run is left in the queue, and so are its repetitions', async () => {
    const handler = create()
    await receive(handler, endOf(1))
    const messages = [image(2), image(2)]
    await Promise.all(messages.map((received) => receive(handler, received)))
    await held.release()
    expect(deleted).toHaveLength(1)
    expect(released).toEqual([])
    expect(texts.read).not.toHaveBeenCalled()
    expect(log.warn).toHaveBeenCalledWith(
      expect.stringContaining('is beyond the count of run'),
      expect.anything(),
    )
  })

  it('of another bucket is left in the queue, and named', async () => {
    await receive(create(), image(1, { bucket: 'other' }))
    await held.release()
    expect([deleted, released]).toEqual([[], []])
    expect(texts.read).not.toHaveBeenCalled()
    expect(runs.open()).toEqual([])
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/the bucket "other".*is "bucket"/))
  })

  it('of another bucket, whose run was given up, is deleted like any other', async () => {
    const handler = create()
    await receive(handler, endOf(1, { bucket: 'other', abandoned: 'yes' }))
    await receive(handler, image(1, { bucket: 'other' }))
    expect(deleted).toHaveLength(2)
    expect(runs.get(run)?.state).toBe('abandoned')
  })

  it('says that no earlier answers are to be used', async () => {
    await receive(create(), image(1, { fresh: 'yes' }))
    await receive(create({ reuseAnswers: false }), image(2))
    expect(texts.read.mock.calls.map(([, askedBy]) => askedBy)).toEqual([run, run])
  })

  it('stays held when the reader stops before it has an outcome', async () => {
    texts.read.mockRejectedValue(new ShutdownError())
    const received = image(1)
    await receive(create(), received)
    expect(deleted).toEqual([])
    await held.release()
    expect(released).toEqual([received.ReceiptHandle])
  })

  it('ends the reader when it fails otherwise, and may come again', async () => {
    const handler = create()
    texts.read.mockRejectedValueOnce(new RangeError('a bug'))
    await expect(receive(handler, image(1))).rejects.toThrow('a bug')
    await receive(handler, image(1))
    expect(outcomes()).toHaveLength(1)
  })
})

describe('what is kept with an outcome', () => {
  const stored = () => answers.find({ key: '1.jpg', etag: 'e' }, { maxMinConfidence: 0 })
  const counted = () => database.prepare('SELECT answered FROM calls').get()?.answered
  const seqOf = () => runs.get(run)?.seq

  it('is the answer that was paid for', async () => {
    await receive(create(), image(1))
    expect(stored()).toEqual({ kind: 'answer', model: '3', content: [line('A')] })
    expect(counted()).toBe(1)
    expect(runs.get(run)).toMatchObject({ asked: 1, reused: 0, texts: 1 })
  })

  it('is that an earlier answer was used', async () => {
    const earlier: Answer<readonly TextLine[]> = { kind: 'answer', model: '2', content: [] }
    await database.commit(() =>
      answers.put({ key: '1.jpg', etag: 'e' }, earlier, { by: 'old', seq: 0, at: 0, minConfidence: 0 }),
    )
    texts.read.mockResolvedValue(answered([], { isNew: false }))
    await receive(create(), image(1))
    expect(stored()).toEqual(earlier)
    expect(database.prepare('SELECT used_by FROM answers').get()?.used_by).toBe(seqOf())
    expect(counted()).toBeUndefined()
    expect(runs.get(run)).toMatchObject({ asked: 0, reused: 1 })
    expect(outcomes()).toMatchObject([{ outcome: 'no-text' }])
  })

  it('is a refusal, which costs nothing', async () => {
    texts.read.mockResolvedValue(refused)
    await receive(create(), image(1))
    expect(stored()).toEqual({ kind: 'refusal', reason: 'not an image' })
    expect(counted()).toBeUndefined()
    expect(runs.get(run)).toMatchObject({ asked: 0, reused: 0, failed: 1 })
    expect(outcomes()).toMatchObject([{ outcome: 'failed', reason: 'not an image' }])
  })

  it('is nothing of a failure, nor of an object that cannot be recognised again', async () => {
    texts.read.mockResolvedValueOnce({ kind: 'failed', reason: 'gone', isReplaced: false })
    await receive(create(), image(1))
    expect(outcomes()).toMatchObject([{ outcome: 'failed', reason: 'gone' }])
    texts.read.mockResolvedValueOnce({ ...answered([line('A')]), etag: undefined } as ImageText)
    await receive(create(), image(2))
    expect(database.prepare('SELECT * FROM answers').all()).toEqual([])
    expect(runs.get(run)).toMatchObject({ asked: 1, failed: 1 })
  })
})

describe('an answer that other readers are to have', () => {
  const shutDown = () => Promise.reject(new ShutdownError())

  it('outlives a restart while the results bucket is out, and is shared then', async () => {
    const object = { bucket: 'bucket', key: '1.jpg', etag: 'e' }
    const putAnswer = vi.fn<ResultsExchange['putAnswer']>(shutDown)
    await receive(create({ exchange: { putAnswer } }), image(1))
    const kept = answers.find(object, { maxMinConfidence: 0, askedBy: run })
    expect(kept).toEqual({ kind: 'answer', model: '3', content: [line('A')] })
    expect(outcomes()).toEqual([])

    const again = image(1)
    texts.read.mockResolvedValue(answered([line('A')], { isNew: false }))
    putAnswer.mockResolvedValue()
    await receive(create({ exchange: { putAnswer } }), again)
    expect(putAnswer).toHaveBeenLastCalledWith(object, kept)
    expect(outcomes()).toMatchObject([{ outcome: 'text' }])
    expect(deleted).toEqual([again.ReceiptHandle])
    expect(database.prepare('SELECT answered FROM calls').get()?.answered).toBe(1)
  })

  it('is not shared again by a run that has not paid for it', async () => {
    const putAnswer = vi.fn<ResultsExchange['putAnswer']>()
    texts.read.mockResolvedValue(answered([line('A')], { isNew: false }))
    await receive(create({ exchange: { putAnswer } }), image(1))
    expect(putAnswer).not.toHaveBeenCalled()
  })
})

describe('an end message', () => {
  it('needs no slot', () => {
    expect(create().isEnd(endOf(1))).toBe(true)
    expect(create().isEnd(message(' -1\n'))).toBe(true)
    expect(create().isEnd(image(1))).toBe(false)
    expect(create().isEnd({})).toBe(false)
  })

  it('is recorded and then deleted', async () => {
    const received = endOf(3, { failures: '[["x","gone"]]', bucket: 'bucket', label: 'Truck' })
    await receive(create(), received)
    expect(runs.get(run)?.end).toEqual({
      count: 3,
      images: 9,
      failed: 1,
      failures: [{ key: 'x', reason: 'gone' }],
      abandoned: false,
      label: 'Truck',
    })
    expect(deleted).toEqual([received.ReceiptHandle])
  })

  it('of a run over another bucket is left in the queue: nothing is published', async () => {
    await receive(create(), endOf(0, { bucket: 'other' }))
    await held.release()
    expect([deleted, released]).toEqual([[], []])
    expect(runs.get(run)).toBeUndefined()
  })

  it('that contradicts the first one is left in the queue', async () => {
    const handler = create()
    await receive(handler, endOf(3))
    await receive(handler, endOf(4))
    await held.release()
    expect([deleted.length, released]).toEqual([1, []])
    expect(log.warn).toHaveBeenCalledWith(
      expect.stringContaining('has ended with another count'),
      expect.anything(),
    )
  })

  it('may abandon the run', async () => {
    await receive(create(), endOf(3, { abandoned: 'yes' }))
    expect(runs.get(run)?.state).toBe('abandoned')
    expect(deleted).toHaveLength(1)
  })
})

describe('messages without a run', () => {
  it('get a place in one, and the same one again', async () => {
    const handler = create()
    await receive(handler, message('2.jpg', {}, 'm1'))
    await receive(handler, message('7.jpg', {}, 'm2'))
    await receive(handler, message('2.jpg', {}, 'm1'))
    const [row] = runs.open()
    expect(row).toMatchObject({ isForeign: true, recorded: 2 })
    expect([...runs.outcomes(row?.seq ?? 0, 9)].map(({ n, key }) => [n, key])).toEqual([
      [1, '2.jpg'],
      [2, '7.jpg'],
    ])
    expect(deleted).toHaveLength(3)
    await receive(handler, message('-1', {}, 'end'))
    expect(runs.open()).toMatchObject([{ endSeen: true }])
    expect(deleted).toHaveLength(4)
  })

  it('are deleted when their run is closed', async () => {
    const handler = create()
    await receive(handler, message('2.jpg', {}, 'm1'))
    await database.commit(() => runs.setComplete(runs.open()[0]?.seq ?? 0))
    await receive(handler, message('2.jpg', {}, 'm1'))
    expect(texts.read).toHaveBeenCalledOnce()
    expect(deleted).toHaveLength(2)
  })

  it('are left in the queue by readers that share a results bucket', async () => {
    const handler = create({ isShared: true })
    await receive(handler, message('2.jpg'))
    await receive(handler, message('-1'))
    await held.release()
    expect([deleted, released]).toEqual([[], []])
    expect(runs.open()).toEqual([])
  })
})

describe('a message that cannot be read', () => {
  it('is left for the dead-letter queue, and logged once', async () => {
    const handler = create()
    for (let times = 0; times < 3; times++) await receive(handler, message('hello', {}, 'same'))
    await receive(handler, message('hello', {}, 'other'))
    await held.release()
    expect([deleted, released]).toEqual([[], []])
    expect(log.warn).toHaveBeenCalledTimes(2)
    expect(log.warn).toHaveBeenCalledWith(
      expect.stringContaining('neither the key of a JPEG or PNG nor "-1"'),
      {
        message: 'same',
      },
    )
  })
})

test.each<[string, TextLine[], number, object]>([
  ['no line', [], 0, { outcome: 'no-text' }],
  [
    'lines of enough confidence',
    [line('A', 80), line('B', 79.9)],
    80,
    { outcome: 'text', lines: [line('A', 80)] },
  ],
  ['only lines of too little', [line('A', 79.9)], 80, { outcome: 'no-text' }],
  ['every line', [line('A', 0)], 0, { outcome: 'text', lines: [line('A', 0)] }],
])('of an answer with %s', (_, content, minTextConfidence, expected) => {
  expect(readingOf({ kind: 'answer', model: '3', content }, minTextConfidence)).toEqual(expected)
})
