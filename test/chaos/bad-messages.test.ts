import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import {
  GetQueueAttributesCommand,
  type MessageAttributeValue,
  SendMessageCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { endMessage, imageMessage, type OutgoingMessage } from '../../src/protocol/messages.ts'
import { expectedResults, numbered, putImages } from '../pipeline/images.ts'
import { bucket, TestCloud, until } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'

let cloud: TestCloud
let deadLetters: string

beforeEach(async () => {
  cloud = await TestCloud.start()
  deadLetters = await cloud.queue('dead-letters')
  const about = { QueueUrl: deadLetters, AttributeNames: ['QueueArn' as const] }
  const { Attributes } = await cloud.sqs.send(new GetQueueAttributesCommand(about))
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: 3 })
  await cloud.sqs.send(
    new SetQueueAttributesCommand({ QueueUrl: cloud.queueUrl, Attributes: { RedrivePolicy } }),
  )
})

afterEach(() => cloud.stop())

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

const run = '20260101T000000Z-good'
const resultsOnly = 'results-only'
const otherRun = '20260101T000000Z-othr'

async function send({ body, attributes }: Pick<OutgoingMessage, 'body' | 'attributes'>): Promise<void> {
  const message = { QueueUrl: cloud.queueUrl, MessageBody: body, MessageAttributes: attributes }
  await cloud.sqs.send(new SendMessageCommand(message))
}

function car(n: number, key: string, more: { run?: string; bucket?: string } = {}): OutgoingMessage {
  return imageMessage({
    run,
    n,
    key,
    bucket,
    etag: undefined,
    sizeBytes: undefined,
    confidence: 99,
    boxes: [],
    fresh: false,
    ...more,
  })
}

function end(count: number, of = run): OutgoingMessage {
  return endMessage({ run: of, count, images: count, failed: 0, abandoned: false })
}

function resultsOf(of: string, name = 'results.txt'): Promise<string | undefined> {
  return readFile(join(cloud.readerState, 'runs', of, name), 'utf8').catch(() => undefined)
}

const text = (StringValue: string): MessageAttributeValue => ({ DataType: 'String', StringValue })
const number = (StringValue: string): MessageAttributeValue => ({ DataType: 'Number', StringValue })
const binary: MessageAttributeValue = { DataType: 'Binary', BinaryValue: Buffer.from([0, 255, 10]) }
const ours = { run: text(run) }

/** None of these is a message that imgpipe or another implementation sends. */
const unreadable: [body: string, attributes?: Record<string, MessageAttributeValue>][] = [
  [' '],
  ['\n\t'],
  ['x'.repeat(1024 * 1024)],
  ['\\x1b[2J'],
  ['{"imageKey":'],
  ['{"imageKey": {"a": 1}}'],
  ['[1, 2, 3]'],
  ['null'],
  ['AP8K/wAAAA=='],
  [`${'k'.repeat(1025)}.jpg`],
  ['1.jpg', { run: text('../../etc') }],
  ['1.jpg', { run: text(' ') }],
  ['1.jpg', { run: number('1'), n: number('1') }],
  ['1.jpg', { run: binary, n: number('1') }],
  ['1.jpg', ours],
  ['1.jpg', { ...ours, n: number('-1') }],
  ['1.jpg', { ...ours, n: number('0') }],
  ['1.jpg', { ...ours, n: number('1.5') }],
  ['1.jpg', { ...ours, n: number('9007199254740993') }],
  ['1.jpg', { ...ours, n: text('1') }],
  ['1.jpg', { ...ours, n: binary }],
  ['%E0%A4%A', { ...ours, n: number('1'), encoding: text('uri') }],
  ['%00.jpg', { ...ours, n: number('1'), encoding: text('uri') }],
  ['-1', ours],
  ['-1', { ...ours, count: number('-1') }],
  ['-1', { ...ours, count: text('5') }],
]

test('a run comes out exactly among messages that are none; those go to the dead-letter queue', async () => {
  const images = numbered(9)
  const cars = images.filter((each) => each.car)
  await putImages(cloud, images)
  for (const [body, attributes = {}] of unreadable) await send({ body, attributes })
  await send(end(cars.length))
  for (const [place, { key }] of cars.entries()) await send(car(place + 1, key))
  // Once more, with another count, beyond the count, another image under a number that is taken.
  await send(end(cars.length))
  const reader = cloud.reader()
  await until(async () => (await resultsOf(run)) !== undefined)
  await send(end(cars.length + 1))
  await send(car(cars.length + 1, '3.jpg'))
  await send(car(1, '3.jpg'))
  await cloud.drained()
  expect((await cloud.messages(deadLetters)).visible).toBe(unreadable.length)
  expect(await resultsOf(run)).toBe(expectedResults(images))
  expect(cloud.vision.looks.get('text 3.jpg')).toBeUndefined()
  expect(reader.exit).toBeUndefined()
  await reader.kill()
}, 240_000)

test('numbers beyond the count and two counts, while the run is under way', async () => {
  await putImages(cloud, numbered(5))
  const reader = cloud.reader()
  await send(end(2))
  await send(car(1, '1.jpg'))
  await until(() => reader.log.includes('the detector has ended'))
  await send(end(3))
  await send(car(3, '4.jpg'))
  await until(async () => (await cloud.messages(deadLetters)).visible === 2)
  await send(car(2, '2.jpg'))
  await cloud.drained()
  expect(await resultsOf(run)).toBe('1.jpg: AB 1\n2.jpg: AB 2\n')
  await reader.kill()
}, 120_000)

test('the end of another run ends nothing but that; one that was never seen is waited for', async () => {
  await putImages(cloud, numbered(5))
  const reader = cloud.reader()
  await send(end(1, otherRun))
  await send(end(1, otherRun))
  await send(car(1, '1.jpg'))
  await cloud.drained()
  expect(await cloud.results()).toBeUndefined()
  await send(end(1))
  await until(async () => (await cloud.results()) !== undefined)
  expect(await cloud.results()).toBe('1.jpg: AB 1\n')
  expect(await resultsOf(otherRun)).toBeUndefined()
  await send(car(1, '2.jpg', { run: otherRun }))
  await until(async () => (await resultsOf(otherRun)) !== undefined)
  expect(await resultsOf(otherRun)).toBe('2.jpg: AB 2\n')
  await reader.kill()
}, 120_000)

test('an image with two numbers is one line', async () => {
  await putImages(cloud, numbered(2))
  const reader = cloud.reader()
  await send(car(1, '2.jpg'))
  await send(car(2, '1.jpg'))
  await send(car(3, '2.jpg'))
  await send(end(3))
  await until(async () => (await resultsOf(run)) !== undefined)
  expect(await resultsOf(run)).toBe('1.jpg: AB 1\n2.jpg: AB 2\n')
  await reader.kill()
}, 120_000)

test('of two ends of a run the first counts, also when the second gives the run up', async () => {
  await putImages(cloud, numbered(2))
  const reader = cloud.reader()
  await send(end(1))
  await reader.said(/the detector has ended/)
  await send(endMessage({ run, count: 1, images: 1, failed: 0, abandoned: true }))
  await cloud.drained()
  await send(car(1, '1.jpg'))
  await until(async () => (await resultsOf(run)) !== undefined)
  expect(await resultsOf(run)).toBe('1.jpg: AB 1\n')
  await reader.kill()
}, 120_000)

test('keys that would act on a terminal or a file system are text', async () => {
  const keys = [
    '../../etc/passwd.jpg',
    '-1.jpg',
    'con "quotes".jpg',
    'a\nb.jpg',
    '\x1b[2J\u202Ename.jpg',
    'nul\x07.jpg',
  ]
  const line = `\x1b[2J first\nsecond \u202E${Array.from({ length: 90 }, (_, place) => `w${place}`).join(' ')}`
  await putImages(
    cloud,
    keys.map((key) => ({ key, car: 99, lines: [line, '-1: \u2028'] })),
  )
  for (const [place, key] of keys.entries()) await send(car(place + 1, key))
  await send(end(keys.length))
  const reader = cloud.reader()
  await cloud.drained()
  const results = (await resultsOf(run)) ?? ''
  expect(results.trimEnd().split('\n')).toHaveLength(keys.length)
  expect(results).not.toMatch(/[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]--\n]/v)
  expect(results).toMatch(/ w89 \| -1: /)
  expect(results).toContain('../../etc/passwd.jpg: ')
  expect(reader.log).not.toMatch(/[\p{Cc}--\n]/v)
  await reader.kill()
}, 120_000)

test("messages of another bucket are kept, with a warning that names both, until the reader's settings are right", async () => {
  await putImages(cloud, numbered(2))
  await send(car(1, '2.jpg'))
  await send(end(1))
  await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsOnly }))
  const wrong = cloud.reader({ IMGPIPE_BUCKET: resultsOnly })
  await wrong.said(/WARN messages are about the bucket "images", but .+ is "results-only"/)
  expect(await wrong.stop()).toMatchObject({ code: 0 })
  expect(cloud.vision.total).toBe(0)
  const right = cloud.reader({}, undefined, ['--once'])
  expect(await right.exited).toMatchObject({ code: 0 })
  expect(await resultsOf(run)).toBe('2.jpg: AB 2\n')
}, 120_000)
