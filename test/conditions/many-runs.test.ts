import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { endMessage, imageMessage, type OutgoingMessage } from '../../src/protocol/messages.ts'
import { type RecordedRun, recordedRuns } from '../chaos/recorded.ts'
import { bucket, TestCloud, until } from '../support/test-cloud.ts'
import { killLeftWorkers, type WorkerProcess } from '../support/worker-process.ts'
import { doneWell, putCars } from './support.ts'

const runs = 40
const images = 6
const resultsBucket = 'agreed'
const preload = new URL('../support/crash-preload.ts', import.meta.url).pathname
let cloud: TestCloud
/** results.txt of all images, line by line */
let lines: string[]

beforeEach(async () => {
  cloud = await TestCloud.start({ visibilitySeconds: 30 })
  await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsBucket }))
  lines = (await putCars(cloud, images)).trimEnd().split('\n')
})

afterEach(async () => {
  await killLeftWorkers()
  await cloud.stop()
})

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

function runId(number: number): string {
  return `20260101T0000${String(number % 60).padStart(2, '0')}Z-${String(number).padStart(4, '0')}`
}

/** Runs differ: the k-th lacks the image k modulo the number of images. */
function keysOf(number: number): string[] {
  return Array.from({ length: images }, (_, place) => `${place + 1}.jpg`).filter(
    (_, place) => place !== number % images,
  )
}

function resultsOf(number: number): string {
  return keysOf(number)
    .map((key) => `${lines.find((line) => line.startsWith(`${key}:`))}\n`)
    .join('')
}

/** Sends runs `from` to `to`: the ends of all first, then their images, run by run. */
async function sendRuns(from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from + 1 }, (_, place) => from + place)
  const ends = numbers.map((number) => {
    const count = keysOf(number).length
    return endMessage({ run: runId(number), count, images: count, failed: 0, abandoned: false })
  })
  const cars = numbers.flatMap((number) =>
    keysOf(number).map((key, place) => carMessage(runId(number), place + 1, key)),
  )
  await send([...ends, ...cars])
}

function carMessage(run: string, n: number, key: string): OutgoingMessage {
  const unknown = { etag: undefined, sizeBytes: undefined }
  return imageMessage({ run, n, key, bucket, ...unknown, confidence: 99, boxes: [], fresh: false })
}

async function send(messages: readonly OutgoingMessage[]): Promise<void> {
  for (let at = 0; at < messages.length; at += 10) {
    const Entries = messages.slice(at, at + 10).map(({ body, attributes }, place) => ({
      Id: String(place),
      MessageBody: body,
      MessageAttributes: attributes,
    }))
    await cloud.sqs.send(new SendMessageBatchCommand({ QueueUrl: cloud.queueUrl, Entries }))
  }
}

const readers = ['b1', 'b2', 'b3']

function startShared(name: string): WorkerProcess {
  return cloud.reader({
    IMGPIPE_STATE_DIR: join(cloud.directory, name),
    IMGPIPE_RESULTS_BUCKET: resultsBucket,
  })
}

/** @returns when a reader has published runs up to a number */
async function hasPublished(stateDir: string, count: number): Promise<void> {
  await until(() => published(stateDir).length >= count)
}

/** In the order of publication. */
function published(stateDir: string): RecordedRun[] {
  return recordedRuns(stateDir)
    .filter(({ state }) => state === 'complete')
    .toSorted((a, b) => a.published - b.published)
}

/** All runs are exact, each has its place in the order, and results.txt is the one that began last. */
async function expectAllExact(stateDir: string, count: number): Promise<void> {
  const order = published(stateDir)
  expect(order.map((row) => row.published)).toEqual(Array.from({ length: count }, (_, place) => place + 1))
  expect(recordedRuns(stateDir)).toHaveLength(count)
  for (const { run } of order) {
    const path = join(stateDir, 'runs', run, 'results.txt')
    expect(await readFile(path, 'utf8'), run).toBe(resultsOf(numberOf(run)))
  }
  const last =
    order
      .map(({ run }) => run)
      .toSorted()
      .at(-1) ?? ''
  expect(await readFile(join(stateDir, 'results.txt'), 'utf8')).toBe(resultsOf(numberOf(last)))
}

function numberOf(run: string): number {
  return Number(run.slice(-4))
}

/** DetectText's calls: every image is asked about once, however many runs name it. */
function textCalls(): number[] {
  return [...cloud.vision.looks.values()]
}

describe('40 runs wait in the queue, the ends of all of them first', () => {
  test('one reader publishes them all, and asks about each image once', async () => {
    await sendRuns(1, runs)
    const reader = cloud.reader()
    await cloud.drained()
    await expectAllExact(cloud.readerState, runs)
    expect(textCalls()).toEqual(Array(images).fill(1))
    expect(await reader.stop()).toEqual(doneWell)
  })

  test('one reader, killed after ten of them', async () => {
    await sendRuns(1, runs)
    const killed = cloud.reader()
    await hasPublished(cloud.readerState, 10)
    await killed.kill()
    const reader = cloud.reader()
    await cloud.drained()
    await expectAllExact(cloud.readerState, runs)
    expect(await reader.stop()).toEqual(doneWell)
  })

  test.each([1, 3])('%i readers with a results bucket publish them all in one order', async (count) => {
    await sendRuns(1, runs)
    const names = readers.slice(0, count)
    const workers = names.map(startShared)
    const stateDirs = names.map((name) => join(cloud.directory, name))
    await Promise.all(stateDirs.map((stateDir) => hasPublished(stateDir, runs)))
    await cloud.drained()
    for (const stateDir of stateDirs) await expectAllExact(stateDir, runs)
    const [first, ...others] = stateDirs.map((stateDir) => published(stateDir).map(({ run }) => run))
    for (const other of others) expect(other).toEqual(first)
    for (const worker of workers) expect(await worker.stop()).toEqual(doneWell)
  })
})

test('a reader that was away while 20 runs were finished catches up, in their order', async () => {
  const [b1, b2] = ['b1', 'b2'].map((name) => join(cloud.directory, name))
  if (b1 === undefined || b2 === undefined) throw new Error('two readers')
  const away = startShared('b2')
  const stayed = startShared('b1')
  await sendRuns(1, 2)
  await Promise.all([hasPublished(b1, 2), hasPublished(b2, 2)])
  await away.stop()
  await sendRuns(3, 22)
  await hasPublished(b1, 22)
  await cloud.drained()
  expect(published(b2)).toHaveLength(2)
  const back = startShared('b2')
  await hasPublished(b2, 22)
  await expectAllExact(b2, 22)
  expect(published(b2)).toEqual(published(b1))
  await sendRuns(23, 23)
  await Promise.all([hasPublished(b1, 23), hasPublished(b2, 23)])
  for (const worker of [stayed, back]) expect(await worker.stop()).toEqual(doneWell)
})

describe('read --once is killed when the run is published, and started again: it ends with that run', () => {
  // results.txt is renamed twice: the one of the run, then the one that is shown.
  const steps = ['after rename results.txt 1', 'before rename results.txt 2', 'after rename results.txt 2']

  test.each(steps)('%s', async (step) => {
    await sendRuns(1, 1)
    const killed = cloud.reader({ CRASH_AT: step }, preload, ['--once'])
    expect((await killed.exited).signal).toBe('SIGKILL')
    const again = cloud.reader({}, undefined, ['--once'])
    expect(await again.exited, again.log).toEqual(doneWell)
    await expectAllExact(cloud.readerState, 1)
    await expectNextOnce()
  })

  test('before its last message is deleted', async () => {
    await sendRuns(1, 1)
    const held = cloud.proxy.add({
      operations: ['DeleteMessageBatch', 'ChangeMessageVisibilityBatch'],
      fault: { kind: 'wait', until: new Promise(() => undefined) },
    })
    const killed = cloud.reader({}, undefined, ['--once'])
    await hasPublished(cloud.readerState, 1)
    await killed.kill()
    held()
    const again = cloud.reader({}, undefined, ['--once'])
    expect(await again.exited, again.log).toEqual(doneWell)
    await expectAllExact(cloud.readerState, 1)
    await expectNextOnce()
  })
})

/** The next one ends with the next run, and not with the one before. */
async function expectNextOnce(): Promise<void> {
  const next = cloud.reader({}, undefined, ['--once'])
  await cloud.proxy.arrivals(2, ({ operation }) => operation === 'ReceiveMessage')
  expect(next.exit).toBeUndefined()
  await sendRuns(2, 2)
  expect(await next.exited, next.log).toEqual(doneWell)
  await expectAllExact(cloud.readerState, 2)
}
