import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteQueueCommand } from '@aws-sdk/client-sqs'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { expectedResults, numbered, putImages } from '../../pipeline/images.ts'
import type { Service } from '../../support/aws-request.ts'
import { lookOf } from '../../support/simulated-vision.ts'
import { SmallDisk } from '../../support/small-disk.ts'
import { TestCloud, until } from '../../support/test-cloud.ts'
import { killLeftWorkers } from '../../support/worker-process.ts'
import { doneRun } from '../recorded.ts'

let cloud: TestCloud
let disk: SmallDisk | undefined

beforeEach(async () => {
  cloud = await TestCloud.start()
})

afterEach(async () => {
  await killLeftWorkers()
  disk?.unmount()
  disk = undefined
  await cloud.stop()
})

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

const doneWell = { code: 0, signal: null }
const images = numbered(40)
const truth = expectedResults(images)

/** Both workers, to the end. */
async function runBoth(settings: Record<string, string> = {}, preload?: string): Promise<void> {
  const reader = cloud.reader(settings, preload, ['--once'])
  expect(await cloud.detector(settings, preload).exited).toEqual(doneWell)
  expect(await reader.exited).toEqual(doneWell)
}

function ofService(service: Service) {
  return (request: { service: Service }) => request.service === service
}

test.each([
  ['rekognition', 8],
  ['sqs', 3],
] as const)(
  'the detector loses access to %s at request %i: one sentence after a minute, and the next start resumes',
  async (service, requests) => {
    await putImages(cloud, images)
    const detector = cloud.detector({ AWS_ACCESS_KEY_ID: 'first' })
    await cloud.proxy.arrivals(requests, ofService(service))
    const restore = cloud.proxy.add({
      service,
      accessKey: 'first',
      fault: { kind: 'refuse', refusal: 'denied' },
    })
    expect(await detector.exited).toEqual({ code: 77, signal: null })
    expect(detector.log).toMatch(/imgpipe: Cannot .+: access denied .+ start again/)
    expect(detector.log.match(/^imgpipe: /gm)).toHaveLength(1)
    restore()
    await runBoth()
    expect(await cloud.results()).toBe(truth)
  },
)

test.each([
  ['rekognition', 8],
  ['s3', 8],
  ['sqs', 2],
] as const)(
  'the reader loses access to %s at request %i: it says so, stays up, and recovers by itself',
  async (service, requests) => {
    await putImages(cloud, images)
    expect(await cloud.detector().exited).toEqual(doneWell)
    const reader = cloud.reader({}, undefined, ['--once'])
    await cloud.proxy.arrivals(requests, ofService(service))
    const restore = cloud.proxy.add({ service, fault: { kind: 'refuse', refusal: 'denied' } })
    await reader.said(/WARN not permitted to .+ grant the permission/)
    restore()
    expect(await reader.exited, reader.log).toEqual(doneWell)
    expect(await cloud.results()).toBe(truth)
  },
)

test('the queue is deleted in the middle: the detector ends, the reader waits, with a new queue nothing is missing', async () => {
  await putImages(cloud, images)
  const removal = Promise.withResolvers<unknown>()
  cloud.proxy.add({
    when: (request) => lookOf(request) === 'objects 40.jpg',
    fault: { kind: 'wait', until: removal.promise },
  })
  const [detector, reader] = [cloud.detector(), cloud.reader({}, undefined, ['--once'])]
  await cloud.proxy.arrivals(5, ({ operation }) => operation === 'DetectText')
  await cloud.sqs.send(new DeleteQueueCommand({ QueueUrl: cloud.queueUrl }))
  removal.resolve(true)
  expect((await detector.exited).code).toBe(78)
  expect(detector.log).toMatch(/imgpipe: Cannot .+ queue does not exist/)
  expect(reader.exit).toBeUndefined()
  expect(reader.log).toMatch(/WARN cannot receive from the queue .+ queue does not exist/)
  await cloud.queue('cars')
  expect(await cloud.detector().exited).toEqual(doneWell)
  expect(await reader.exited, reader.log).toEqual(doneWell)
  expect(await cloud.results()).toBe(truth)
})

test('credentials expire in the middle and are replaced in their file', async () => {
  await putImages(cloud, images)
  const file = join(cloud.directory, 'credentials')
  const write = (key: string) =>
    writeFile(file, `[default]\naws_access_key_id=${key}\naws_secret_access_key=s\naws_session_token=t\n`)
  await write('old')
  const settings = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }
  const expiry = Promise.withResolvers<unknown>()
  cloud.proxy.add({
    when: (request) => lookOf(request) === 'objects 40.jpg',
    fault: { kind: 'wait', until: expiry.promise },
  })
  const detector = cloud.detector(settings)
  const reader = cloud.reader(settings, undefined, ['--once'])
  await cloud.proxy.arrivals(3, ({ operation }) => operation === 'DetectText')
  cloud.proxy.add({ accessKey: 'old', fault: { kind: 'refuse', refusal: 'expired' } })
  expiry.resolve(true)
  await Promise.all([
    detector.said(/waiting for new credentials/),
    reader.said(/waiting for new credentials/),
  ])
  await write('new')
  expect(await detector.exited).toEqual(doneWell)
  expect(await reader.exited).toEqual(doneWell)
  expect(await cloud.results()).toBe(truth)
  expect(reader.log).not.toMatch(/could not be read/)
  expect(detector.log).toMatch(/failed=0/)
}, 120_000)

test.for(['detector', 'reader'] as const)(
  'a second %s on the state directory says so and ends',
  async (role) => {
    cloud.proxy.add({
      operations: ['GetQueueUrl'],
      fault: { kind: 'wait', until: new Promise(() => undefined) },
    })
    const isHere = cloud.proxy.arrivals(1, () => true)
    const first = cloud[role]()
    await isHere
    const second = cloud[role]()
    expect((await second.exited).code).toBe(75)
    expect(second.log).toMatch(new RegExp(`Another imgpipe ${role} is already running on`))
    await first.kill()
  },
)

test.for(['detector', 'reader'] as const)(
  'a state directory that the %s may not write: one sentence',
  async (role, { skip }) => {
    disk = SmallDisk.mount(join(cloud.directory, 'disk'), 4096)
    if (!disk) return skip('only root may mount a file system')
    await putImages(cloud, images)
    if (role === 'reader') expect(await cloud.detector().exited).toEqual(doneWell)
    disk.makeReadOnly()
    const worker = cloud[role]({ IMGPIPE_STATE_DIR: disk.path })
    expect((await worker.exited).code).toBe(74)
    expect(worker.log).toMatch(/imgpipe: The state directory .+ cannot be used \(EROFS/)
    await runBoth()
    expect(await cloud.results()).toBe(truth)
  },
)

test.for(['detector', 'reader'] as const)(
  'the disk of the %s is full in the middle: it waits for space',
  async (role, { skip }) => {
    disk = SmallDisk.mount(join(cloud.directory, 'disk'), 4096)
    if (!disk) return skip('only root may mount a file system')
    const many = numbered(200)
    await putImages(cloud, many)
    const settings = (of: string) => (of === role && disk ? { IMGPIPE_STATE_DIR: disk.path } : {})
    const detector = cloud.detector(settings('detector'))
    const reader = cloud.reader(settings('reader'))
    const [worker, operation] = role === 'detector' ? [detector, 'DetectLabels'] : [reader, 'DetectText']
    await cloud.proxy.arrivals(10, (request) => request.operation === operation)
    disk.fill()
    await worker.said(/disk full, cannot write/)
    disk.makeRoom()
    expect(await detector.exited).toEqual(doneWell)
    await cloud.drained()
    const results = join(role === 'reader' ? disk.path : cloud.readerState, 'results.txt')
    expect(await readFile(results, 'utf8')).toBe(expectedResults(many))
    await reader.kill()
  },
)

test.each(['detector', 'reader'] as const)(
  'a corrupt database of the %s: a sentence with the remedy',
  async (role) => {
    await putImages(cloud, images)
    await runBoth()
    const stateDir = role === 'detector' ? cloud.detectorState : cloud.readerState
    const path = join(stateDir, `${role}.sqlite`)
    await writeFile(path, 'this is not a database')
    const worker = cloud[role]()
    expect((await worker.exited).code).toBe(74)
    expect(worker.log).toMatch(/imgpipe: The database .+\.sqlite .+ move it away/)
    for (const suffix of ['', '-wal', '-shm']) await rm(`${path}${suffix}`, { force: true })
    const reader = cloud.reader({}, undefined, ['--once'])
    expect(await cloud.detector({}, undefined, ['--all']).exited).toEqual(doneWell)
    expect(await reader.exited).toEqual(doneWell)
    expect(await cloud.results()).toBe(truth)
  },
)

test('the clock is set back a day between two runs: the later one is shown', async () => {
  const clock = new URL('../../support/clock-preload.ts', import.meta.url).pathname
  await putImages(cloud, [{ key: '1.jpg', car: 99, lines: ['BEFORE'] }])
  await runBoth({ CLOCK_SHIFT_MS: String(24 * 3600 * 1000) }, clock)
  expect(await cloud.results()).toBe('1.jpg: BEFORE\n')
  await putImages(cloud, [{ key: '1.jpg', car: 99, lines: ['AFTER'] }])
  await runBoth()
  expect(await cloud.results()).toBe('1.jpg: AFTER\n')
  // As it is found again by a reader that starts.
  await writeFile(join(cloud.readerState, 'results.txt'), 'something else')
  const reader = cloud.reader()
  await until(async () => (await cloud.results()) === '1.jpg: AFTER\n')
  await reader.kill()
})

test('the clock is set back in the middle of a run', async () => {
  const clock = new URL('../../support/clock-preload.ts', import.meta.url).pathname
  await putImages(cloud, images)
  cloud.proxy.add({ service: 'rekognition', fault: { kind: 'delay', mostMilliseconds: 300 } })
  const ahead = { CLOCK_SHIFT_MS: String(3600 * 1000) }
  const [detector, reader] = [cloud.detector(ahead, clock), cloud.reader(ahead, clock)]
  await cloud.proxy.arrivals(8, ({ operation }) => operation === 'DetectText')
  await Promise.all([detector.kill(), reader.kill()])
  await runBoth()
  expect(await cloud.results()).toBe(truth)
})

test('several runs that are complete at the same moment are all published', async () => {
  await putImages(cloud, numbered(3))
  for (const place of [1, 2, 3, 4]) {
    const stateDir = join(cloud.directory, `a${place}`)
    await mkdir(stateDir)
    expect(await cloud.detector({ IMGPIPE_STATE_DIR: stateDir }).exited).toEqual(doneWell)
  }
  const reader = cloud.reader()
  await cloud.drained()
  for (const place of [1, 2, 3, 4]) {
    const run = doneRun(join(cloud.directory, `a${place}`)) ?? ''
    const path = join(cloud.readerState, 'runs', run, 'results.txt')
    await until(() =>
      readFile(path, 'utf8').then(
        (text) => text === expectedResults(numbered(3)),
        () => false,
      ),
    )
  }
  expect(reader.exit).toBeUndefined()
  await reader.kill()
})
