import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteQueueCommand } from '@aws-sdk/client-sqs'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { expectedResults, numbered, putPictures } from '../../pipeline/pictures.ts'
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
const pictures = numbered(40)
const truth = expectedResults(pictures)

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
  ['detector', 'rekognition', 8],
  ['detector', 'sqs', 3],
  ['reader', 'rekognition', 8],
  ['reader', 's3', 8],
  ['reader', 'sqs', 5],
] as const)(
  'access of the %s to %s is taken away at request %i: one sentence, and it goes on later',
  async (role, service, requests) => {
    await putPictures(cloud, pictures)
    if (role === 'reader') expect(await cloud.detector().exited).toEqual(doneWell)
    const worker = cloud[role]({ AWS_ACCESS_KEY_ID: 'first' })
    await cloud.proxy.arrivals(requests, ofService(service))
    const giveBack = cloud.proxy.add({
      service,
      accessKey: 'first',
      fault: { kind: 'refuse', refusal: 'denied' },
    })
    expect(await worker.exited).toEqual({ code: 77, signal: null })
    expect(worker.log).toMatch(/imgpipe: Cannot .+: access is denied .+ then start again/)
    expect(worker.log.match(/^imgpipe: /gm)).toHaveLength(1)
    giveBack()
    await runBoth()
    expect(await cloud.results()).toBe(truth)
  },
  120_000,
)

test('the queue is deleted in the middle: both say so and end, and with a new queue nothing is missing', async () => {
  await putPictures(cloud, pictures)
  const removal = Promise.withResolvers<unknown>()
  cloud.proxy.add({
    when: (request) => lookOf(request) === 'objects 40.jpg',
    fault: { kind: 'wait', until: removal.promise },
  })
  const [detector, reader] = [cloud.detector(), cloud.reader()]
  await cloud.proxy.arrivals(5, ({ operation }) => operation === 'DetectText')
  await cloud.sqs.send(new DeleteQueueCommand({ QueueUrl: cloud.queueUrl }))
  removal.resolve(true)
  expect((await detector.exited).code).toBe(78)
  expect((await reader.exited).code).toBe(78)
  expect(detector.log).toMatch(/imgpipe: Cannot .+ does not exist/)
  expect(reader.log).toMatch(/imgpipe: Cannot .+ does not exist/)
  await cloud.queue('cars')
  await runBoth()
  expect(await cloud.results()).toBe(truth)
  expect(await readdir(join(cloud.detectorState, 'detector'))).toHaveLength(1)
}, 120_000)

test('credentials expire in the middle and are replaced in their file', async () => {
  await putPictures(cloud, pictures)
  const file = join(cloud.folder, 'credentials')
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

test.each(['detector', 'reader'] as const)(
  'a second %s on the state folder says so and ends',
  async (role) => {
    cloud.proxy.add({
      operations: ['GetQueueUrl'],
      fault: { kind: 'wait', until: new Promise(() => undefined) },
    })
    const isHere = cloud.proxy.arrivals(1, () => true)
    const first = cloud[role]()
    await isHere
    const second = cloud[role]()
    expect((await second.exited).code).toBe(78)
    expect(second.log).toMatch(new RegExp(`Another imgpipe ${role} is already at work on`))
    await first.kill()
  },
)

test.each(['detector', 'reader'] as const)(
  'a state folder that the %s may not write: one sentence',
  async (role) => {
    disk = SmallDisk.mount(join(cloud.folder, 'disk'))
    if (!disk) return console.log('skipped: only root may mount a file system')
    await putPictures(cloud, pictures)
    if (role === 'reader') expect(await cloud.detector().exited).toEqual(doneWell)
    disk.makeReadOnly()
    const worker = cloud[role]({ IMGPIPE_STATE_DIR: disk.path })
    expect((await worker.exited).code).toBe(74)
    expect(worker.log).toMatch(/imgpipe: The state folder .+ cannot be used \(EROFS/)
    await runBoth()
    expect(await cloud.results()).toBe(truth)
  },
)

test.each(['detector', 'reader'] as const)(
  'the disk of the %s is full in the middle: it waits for room',
  async (role) => {
    disk = SmallDisk.mount(join(cloud.folder, 'disk'))
    if (!disk) return console.log('skipped: only root may mount a file system')
    const many = numbered(200)
    await putPictures(cloud, many)
    const settings = (of: string) => (of === role && disk ? { IMGPIPE_STATE_DIR: disk.path } : {})
    const detector = cloud.detector(settings('detector'))
    const reader = cloud.reader(settings('reader'))
    const [worker, operation] = role === 'detector' ? [detector, 'DetectLabels'] : [reader, 'DetectText']
    await cloud.proxy.arrivals(10, (request) => request.operation === operation)
    disk.fill()
    await worker.said(/the disk is full/)
    disk.makeRoom()
    expect(await detector.exited).toEqual(doneWell)
    await cloud.drained()
    await worker.said(/there is room again/)
    const results = join(role === 'reader' ? disk.path : cloud.readerState, 'results.txt')
    expect(await readFile(results, 'utf8')).toBe(expectedResults(many))
    await reader.kill()
  },
  120_000,
)

test('a ledger and a journal with a torn end and with lines between that are none', async () => {
  await putPictures(cloud, pictures)
  cloud.proxy.add({ service: 'rekognition', fault: { kind: 'delay', mostMilliseconds: 300 } })
  const detector = cloud.detector()
  const reader = cloud.reader()
  await cloud.proxy.arrivals(8, ({ operation }) => operation === 'DetectText')
  await Promise.all([detector.kill(), reader.kill()])
  for (const folder of [join(cloud.detectorState, 'detector'), join(cloud.readerState, 'runs')]) {
    const [name = ''] = (await readdir(folder, { recursive: true })).filter((file) =>
      file.endsWith('.ndjson'),
    )
    const [first = '', ...rest] = (await readFile(join(folder, name), 'utf8')).split('\n')
    const garbage = ['\0\0\0\0', '{"n":', 'null', '[]', '7', '"outcome"']
    await writeFile(join(folder, name), [first, ...garbage, ...rest].join('\n'))
    await appendFile(join(folder, name), '{"outcome":"text","n":1,"ke')
  }
  await runBoth()
  expect(await cloud.results()).toBe(truth)
}, 120_000)

test('the clock is set back a day between two runs: the later one is shown', async () => {
  const clock = new URL('../../support/clock-preload.ts', import.meta.url).pathname
  await putPictures(cloud, [{ key: '1.jpg', car: 99, lines: ['BEFORE'] }])
  await runBoth({ CLOCK_SHIFT_MS: String(24 * 3600 * 1000) }, clock)
  expect(await cloud.results()).toBe('1.jpg: BEFORE\n')
  await putPictures(cloud, [{ key: '1.jpg', car: 99, lines: ['AFTER'] }])
  await runBoth()
  expect(await cloud.results()).toBe('1.jpg: AFTER\n')
  // As it is found again by a reader that starts.
  await writeFile(join(cloud.readerState, 'results.txt'), 'something else')
  const reader = cloud.reader()
  await reader.said(/the reader is ready/)
  expect(await cloud.results()).toBe('1.jpg: AFTER\n')
  await reader.kill()
})

test('the clock is set back in the middle of a run', async () => {
  const clock = new URL('../../support/clock-preload.ts', import.meta.url).pathname
  await putPictures(cloud, pictures)
  cloud.proxy.add({ service: 'rekognition', fault: { kind: 'delay', mostMilliseconds: 300 } })
  const ahead = { CLOCK_SHIFT_MS: String(3600 * 1000) }
  const [detector, reader] = [cloud.detector(ahead, clock), cloud.reader(ahead, clock)]
  await cloud.proxy.arrivals(8, ({ operation }) => operation === 'DetectText')
  await Promise.all([detector.kill(), reader.kill()])
  await runBoth()
  expect(await cloud.results()).toBe(truth)
})

test('several runs that are complete at the same moment are all published', async () => {
  await putPictures(cloud, numbered(3))
  for (const place of [1, 2, 3, 4]) {
    const stateDir = join(cloud.folder, `a${place}`)
    await mkdir(stateDir)
    expect(await cloud.detector({ IMGPIPE_STATE_DIR: stateDir }).exited).toEqual(doneWell)
  }
  const reader = cloud.reader()
  await cloud.drained()
  for (const place of [1, 2, 3, 4]) {
    const run = (await doneRun(join(cloud.folder, `a${place}`))) ?? ''
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
