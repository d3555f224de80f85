import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand, DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterEach, expect, test } from 'vitest'
import { endMessage } from '../../src/protocol/messages.ts'
import { Random } from '../support/random.ts'
import { simulatedImage } from '../support/simulated-vision.ts'
import { TestCloud, until } from '../support/test-cloud.ts'
import { killLeftWorkers, type WorkerProcess } from '../support/worker-process.ts'

const resultsBucket = 'agreed'
const images = 150
const readers = ['b1', 'b2', 'b3'] as const
let cloud: TestCloud

afterEach(async () => {
  await killLeftWorkers()
  await cloud.stop()
})

/** Starts a reader with a disk of its own; @returns the process */
function startReader(name: string): WorkerProcess {
  const stateDir = join(cloud.directory, name)
  return cloud.reader({ IMGPIPE_STATE_DIR: stateDir, IMGPIPE_RESULTS_BUCKET: resultsBucket })
}

function resultsOf(name: string): Promise<string | undefined> {
  return readFile(join(cloud.directory, name, 'results.txt'), 'utf8').catch(() => undefined)
}

async function fill(count: number): Promise<string> {
  const lines: string[] = []
  for (let n = 1; n <= count; n++) {
    const hasText = n % 3 !== 0
    const objects = [{ name: 'Car', confidence: 99 }]
    await cloud.put(`${n}.jpg`, simulatedImage({ id: `${n}`, objects, lines: hasText ? [`AB ${n}`] : [] }))
    if (hasText) lines.push(`${n}.jpg: AB ${n}\n`)
  }
  return lines.join('')
}

test('three readers, killed at random, leave one exact result on each of their disks', async () => {
  const random = new Random('several readers', 7)
  const latency = () => delay(random.between(5, 60))
  cloud = await TestCloud.start({ visibilitySeconds: 3, latency })
  await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsBucket }))
  const truth = await fill(images)
  const running = new Map<string, WorkerProcess>(readers.map((name) => [name, startReader(name)]))
  const detector = cloud.detector()
  for (let kills = 0; kills < 4; kills++) {
    const looksBefore = cloud.vision.total
    await until(() => cloud.vision.total >= Math.min(looksBefore + 40, 2 * images))
    const name = random.pick(readers)
    await running.get(name)?.kill()
    running.set(name, startReader(name))
  }
  expect(await detector.exited).toMatchObject({ code: 0 })
  await until(async () =>
    (await Promise.all(readers.map(resultsOf))).every((results) => results !== undefined),
  )
  expect(await Promise.all(readers.map(resultsOf))).toEqual([truth, truth, truth])
  await cloud.drained()
  const textCalls = [...cloud.vision.looks]
    .filter(([name]) => name.startsWith('text'))
    .map(([, count]) => count)
  expect(textCalls).toHaveLength(images)
  expect(textCalls.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(1.25 * images)
  for (const reader of running.values()) expect(await reader.stop()).toMatchObject({ code: 0 })
}, 180_000)

test('a reader that joins after the run was finished has its result too', async () => {
  cloud = await TestCloud.start()
  await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsBucket }))
  const truth = await fill(12)
  expect(await cloud.detector().exited).toMatchObject({ code: 0 })
  const first = startReader('b1')
  await until(async () => (await resultsOf('b1')) !== undefined)
  const second = startReader('b2')
  await until(async () => (await resultsOf('b2')) !== undefined)
  expect(await resultsOf('b2')).toBe(truth)
  await cloud.drained()
  for (const reader of [first, second]) expect(await reader.stop()).toMatchObject({ code: 0 })
})

test('read --once ends with the next run also when the order of finished runs was deleted', async () => {
  cloud = await TestCloud.start()
  await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsBucket }))
  await fill(3)
  const readOnce = () => cloud.reader({ IMGPIPE_RESULTS_BUCKET: resultsBucket }, undefined, ['--once']).exited
  for (const words of [[], ['--all']]) {
    expect(await cloud.detector({}, undefined, words).exited).toMatchObject({ code: 0 })
    expect(await readOnce()).toMatchObject({ code: 0 })
  }
  for (const key of await keysUnder('finished/'))
    await cloud.s3.send(new DeleteObjectCommand({ Bucket: resultsBucket, Key: key }))
  const truth = await fill(4)
  expect(await cloud.detector().exited).toMatchObject({ code: 0 })
  expect(await readOnce()).toMatchObject({ code: 0 })
  expect(await cloud.results()).toBe(truth)
})

test('of two ends of a shared run the first counts, also when the second gives the run up', async () => {
  cloud = await TestCloud.start()
  await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsBucket }))
  const truth = await fill(6)
  expect(await cloud.detector().exited).toMatchObject({ code: 0 })
  // Rekognition is down until all six images and both ends are in flight: neither end finds the run complete.
  const heal = cloud.proxy.add({
    service: 'rekognition',
    share: 1,
    fault: { kind: 'refuse', refusal: 'unavailable' },
  })
  const reader = startReader('b1')
  await until(async () => (await storedRuns()).length > 0)
  const [run = ''] = await storedRuns()
  const { body, attributes } = endMessage({ run, count: 6, images: 6, failed: 0, abandoned: true })
  const late = { QueueUrl: cloud.queueUrl, MessageBody: body, MessageAttributes: attributes }
  await cloud.sqs.send(new SendMessageCommand(late))
  await until(async () => (await cloud.messages()).inFlight === 8)
  heal()
  await until(async () => (await resultsOf('b1')) !== undefined)
  expect(await resultsOf('b1')).toBe(truth)
  await cloud.drained()
  expect(await reader.stop()).toMatchObject({ code: 0 })
})

/** The runs whose end is in the store. */
async function storedRuns(): Promise<string[]> {
  return (await keysUnder('runs/')).flatMap((key) => /^runs\/([^/]+)\/end\.json$/.exec(key)?.[1] ?? [])
}

async function keysUnder(Prefix: string): Promise<string[]> {
  const command = new ListObjectsV2Command({ Bucket: resultsBucket, Prefix })
  const { Contents = [] } = await cloud.s3.send(command)
  return Contents.flatMap(({ Key }) => Key ?? [])
}
