import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { answeredCalls } from '../chaos/recorded.ts'
import { bucket, TestCloud, until } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { type Described, expectedResults, numbered, putImages } from './images.ts'

let cloud: TestCloud

beforeEach(async () => {
  cloud = await TestCloud.start()
})

afterEach(async () => {
  await killLeftWorkers()
  await cloud.stop()
})

const doneWell = { code: 0, signal: null }
const images = numbered(60)
const cars = images.filter(({ car }) => car).length

/** Both workers. @returns the Rekognition calls that they made, by operation */
async function run(environment: Record<string, string> = {}, words: string[] = []) {
  const before = new Map(cloud.vision.looks)
  const reader = cloud.reader(environment, undefined, ['--once'])
  const detector = cloud.detector(environment, undefined, words)
  expect(await detector.exited, detector.log).toEqual(doneWell)
  if (detector.log.includes('nothing new')) await reader.stop()
  expect(await reader.exited, reader.log).toEqual(doneWell)
  return calls(before)
}

function calls(before: ReadonlyMap<string, number>) {
  const made = { labels: 0, texts: 0 }
  for (const [name, count] of cloud.vision.looks) {
    made[name.startsWith('objects') ? 'labels' : 'texts'] += count - (before.get(name) ?? 0)
  }
  return made
}

test('a later run pays only for what is new, changed or failed, and its result is complete', async () => {
  await putImages(cloud, images)
  expect(await run()).toEqual({ labels: 60, texts: cars })
  expect(await cloud.results()).toBe(expectedResults(images))

  // Nothing is new: no call and no message.
  let messages = 0
  const unwatch = cloud.proxy.onArrival(({ operation }) => {
    if (operation === 'SendMessageBatch') messages++
  })
  expect(await run()).toEqual({ labels: 0, texts: 0 })
  expect(messages).toBe(0)
  unwatch()

  // Two are replaced, one of them with a car; one is new, one is gone.
  const replaced: Described[] = [
    { key: '1.jpg', car: 99, lines: ['NEW ONE'] },
    { key: '3.jpg', lines: ['NO CAR'] },
  ]
  const added: Described = { key: '61.jpg', car: 97, lines: ['ADDED'] }
  await putImages(cloud, [...replaced, added])
  await cloud.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: '5.jpg' }))
  expect(await run()).toEqual({ labels: 3, texts: 2 })
  const now = [...images, added].flatMap((image) => {
    if (image.key === '5.jpg') return []
    return replaced.find(({ key }) => key === image.key) ?? image
  })
  expect(await cloud.results()).toBe(expectedResults(now))
  expect(answeredCalls(cloud.detectorState, 'detector')).toBe(63)
  expect(answeredCalls(cloud.readerState, 'reader')).toBe(cars + 2)
})

test('another threshold or label is decided from the answers', async () => {
  const images: Described[] = [
    { key: '1.jpg', car: 99, lines: ['ONE'] },
    { key: '2.jpg', car: 92, lines: ['TWO'] },
    { key: '3.jpg', car: 70, lines: ['THREE'] },
    { key: '4.jpg', lines: ['FOUR'] },
  ]
  await putImages(cloud, images)
  expect(await run()).toEqual({ labels: 4, texts: 2 })
  expect(await run({ IMGPIPE_MIN_CONFIDENCE: '95' })).toEqual({ labels: 0, texts: 0 })
  expect(await cloud.results()).toBe('1.jpg: ONE\n')
  expect(await run({ IMGPIPE_MIN_CONFIDENCE: '60' })).toEqual({ labels: 0, texts: 1 })
  expect(await cloud.results()).toBe('1.jpg: ONE\n2.jpg: TWO\n3.jpg: THREE\n')
  expect(await run({ IMGPIPE_LABEL: 'Person' })).toEqual({ labels: 0, texts: 1 })
  expect(await cloud.results()).toBe('4.jpg: FOUR\n')
  // Below what was asked for, the answers do not say enough.
  expect(await run({ IMGPIPE_MIN_CONFIDENCE: '20' })).toEqual({ labels: 4, texts: 0 })
})

test('--fresh asks about everything again, on both workers; --all about nothing', async () => {
  await putImages(cloud, images)
  await run()
  expect(await run({}, ['--all'])).toEqual({ labels: 0, texts: 0 })
  expect(await cloud.results()).toBe(expectedResults(images))
  expect(await run({}, ['--fresh'])).toEqual({ labels: 60, texts: cars })
  expect(await run({ IMGPIPE_REUSE_ANSWERS: 'false' })).toEqual({ labels: 60, texts: cars })
})

test('a change of settings in the middle of a run loses nothing that was paid for', async () => {
  await putImages(cloud, images)
  const detector = cloud.detector({ IMGPIPE_MAX_RPS: '20' })
  await until(() => cloud.vision.total >= 20)
  await detector.kill()
  expect(await run({ IMGPIPE_MIN_CONFIDENCE: '95' })).toMatchObject({ texts: cars })
  const labels = [...cloud.vision.looks].filter(([name]) => name.startsWith('objects'))
  const total = labels.reduce((sum, [, count]) => sum + count, 0)
  // What was in flight at the kill, and no more.
  expect(total).toBeLessThanOrEqual(60 + 16)
  expect(await cloud.results()).toBe(expectedResults(images))
})

test('without its database a worker pays again, and nothing worse happens', async () => {
  await putImages(cloud, images)
  await run()
  for (const suffix of ['', '-wal', '-shm']) {
    await rm(`${cloud.detectorState}/detector.sqlite${suffix}`, { force: true })
    await rm(`${cloud.readerState}/reader.sqlite${suffix}`, { force: true })
  }
  expect(await run()).toEqual({ labels: 60, texts: cars })
  expect(await cloud.results()).toBe(expectedResults(images))
})

test('a daily limit holds through kills and restarts', async () => {
  await putImages(cloud, images)
  const environment = { IMGPIPE_MAX_CALLS_PER_DAY: '25', IMGPIPE_MAX_RPS: '40' }
  for (const looks of [3, 6]) {
    const detector = cloud.detector(environment)
    await until(() => cloud.vision.total >= looks || detector.exit !== undefined)
    await detector.kill()
  }
  const detector = cloud.detector(environment)
  expect(await detector.exited, detector.log).toEqual({ code: 75, signal: null })
  expect(detector.log).toMatch(/limit of 25 Rekognition calls a day .*continues at \d{4}-\d\d-\d\dT00:00Z/)
  expect(cloud.vision.total).toBeLessThanOrEqual(25)
  // The next starts make no call either.
  expect((await cloud.detector(environment).exited).code).toBe(75)
  expect(cloud.vision.total).toBeLessThanOrEqual(25)
  // Without the limit the run is finished.
  expect(await run()).toMatchObject({ texts: cars })
  expect(await cloud.results()).toBe(expectedResults(images))
})

test('a reader that reaches its daily limit waits, and says so', async () => {
  await putImages(cloud, images)
  expect(await cloud.detector().exited).toEqual(doneWell)
  const reader = cloud.reader({ IMGPIPE_MAX_CALLS_PER_DAY: '10' })
  await reader.said(/limit of 10 Rekognition calls a day/)
  await delay(1000)
  expect(answeredCalls(cloud.readerState, 'reader')).toBe(10)
  expect(await reader.stop()).toEqual(doneWell)
  expect((await cloud.messages()).inFlight).toBe(0)
  expect(await cloud.reader({}, undefined, ['--once']).exited).toEqual(doneWell)
  expect(await cloud.results()).toBe(expectedResults(images))
  expect(answeredCalls(cloud.readerState, 'reader')).toBe(cars)
})
