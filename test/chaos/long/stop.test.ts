import { join } from 'node:path'
import { afterAll, afterEach, expect, test } from 'vitest'
import { expectedResults, numbered, putImages } from '../../pipeline/images.ts'
import type { FaultRule } from '../../support/fault-proxy.ts'
import { SmallDisk } from '../../support/small-disk.ts'
import { TestCloud } from '../../support/test-cloud.ts'
import { killLeftWorkers } from '../../support/worker-process.ts'
import { isDone } from '../recorded.ts'

let cloud: TestCloud

afterEach(async () => {
  await killLeftWorkers()
  await cloud.stop()
})

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

const doneWell = { code: 0, signal: null }
/** The run is not done; the next start resumes it. */
const interrupted = { code: 75, signal: null }
const images = numbered(40)

/** Longer than any test: a message that a reader keeps is not seen again. */
const visibilitySeconds = 600

/** Both workers, to the end. */
async function finish(): Promise<void> {
  if (!isDone(cloud.detectorState)) expect(await cloud.detector().exited).toEqual(doneWell)
  const reader = cloud.reader()
  await cloud.drained()
  expect(await cloud.results()).toBe(expectedResults(images))
  await reader.kill()
}

async function begin(seconds = visibilitySeconds): Promise<void> {
  cloud = await TestCloud.start({ visibilitySeconds: seconds })
  await putImages(cloud, images)
}

test.each([1, 2, 3, 4, 5, 7, 10, 20, 40])('the detector is stopped at its request %i', async (count) => {
  await begin()
  const isThere = cloud.proxy.arrivals(count, () => true)
  const detector = cloud.detector()
  await isThere
  const exit = await detector.stop()
  expect([doneWell, interrupted]).toContainEqual(exit)
  expect(exit.code === 0, 'exit 0 means done').toBe(isDone(cloud.detectorState))
  await finish()
})

test.each([1, 2, 3, 4, 5, 7, 10, 20, 40])(
  'the reader is stopped at its request %i, and holds no message',
  async (count) => {
    await begin()
    expect(await cloud.detector().exited).toEqual(doneWell)
    const isThere = cloud.proxy.arrivals(count, () => true)
    const reader = cloud.reader()
    await isThere
    expect(await reader.stop()).toEqual(doneWell)
    expect((await cloud.messages()).inFlight).toBe(0)
    await finish()
  },
)

const never = new Promise(() => undefined)
const faults: [string, FaultRule][] = [
  ['Rekognition does not answer', { service: 'rekognition', fault: { kind: 'wait', until: never } }],
  ['Rekognition is down', { service: 'rekognition', fault: { kind: 'refuse', refusal: 'broken' } }],
  ['Rekognition throttles all', { service: 'rekognition', fault: { kind: 'refuse', refusal: 'throttled' } }],
  ['S3 does not answer', { operations: ['GetObject'], fault: { kind: 'wait', until: never } }],
  [
    'messages cannot be sent',
    { operations: ['SendMessageBatch'], fault: { kind: 'refuse', refusal: 'broken' } },
  ],
  ['deletes are not answered', { operations: ['DeleteMessageBatch'], fault: { kind: 'wait', until: never } }],
]

test.each(faults)('both are stopped while %s', async (_, rule) => {
  await begin()
  expect(await cloud.detector().exited).toEqual(doneWell)
  const again = { IMGPIPE_STATE_DIR: join(cloud.directory, 'again') }
  const heal = cloud.proxy.add(rule)
  const isThere = cloud.proxy.arrivals(40, () => true)
  const [detector, reader] = [cloud.detector(again), cloud.reader()]
  await isThere
  const exits = await Promise.all([detector.stop(), reader.stop()])
  expect(exits[1]).toEqual(doneWell)
  // Without its own trouble the detector may have been done before.
  expect([doneWell, interrupted]).toContainEqual(exits[0])
  expect((await cloud.messages()).inFlight).toBe(0)
  heal()
  expect(await cloud.detector(again).exited).toEqual(doneWell)
  await finish()
})

test('the reader is stopped while its disk is full: it holds no message', async ({ skip }) => {
  await begin()
  expect(await cloud.detector().exited).toEqual(doneWell)
  const disk = SmallDisk.mount(cloud.readerState, 4096)
  if (!disk) return skip('only root may mount a file system')
  try {
    disk.fill()
    const reader = cloud.reader()
    await reader.said(/disk full, cannot write/)
    expect((await reader.stop()).code).toBe(0)
    expect((await cloud.messages()).inFlight).toBe(0)
    disk.makeRoom()
    await finish()
  } finally {
    disk.unmount()
  }
})

test('a second signal aborts requests in flight, and nothing is lost by it', async () => {
  // SQS may deliver messages to the long poll that is aborted: they become visible after their timeout.
  await begin(2)
  expect(await cloud.detector().exited).toEqual(doneWell)
  const heal = cloud.proxy.add({ service: 'rekognition', fault: { kind: 'wait', until: never } })
  const reader = cloud.reader()
  await cloud.proxy.arrivals(3, ({ operation }) => operation === 'DetectText')
  reader.signal('SIGTERM')
  expect(await reader.stop()).toEqual(doneWell)
  heal()
  await finish()
})
