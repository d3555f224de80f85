import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { TestCloud, type TestCloudOptions, until } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { type Described, expectedResults, numbered, putImages } from './images.ts'

let cloud: TestCloud

afterEach(async () => {
  await cloud.stop()
  expect(await killLeftWorkers(), 'worker processes left running').toBe(0)
})

async function begin(images: readonly Described[], options: TestCloudOptions = {}): Promise<void> {
  cloud = await TestCloud.start(options)
  await putImages(cloud, images)
}

const doneWell = { code: 0, signal: null }

/** Runs the detector and a reader that ends after one run. */
async function runBoth(words: string[] = []): Promise<void> {
  const reader = cloud.reader({}, undefined, ['--once'])
  expect(await cloud.detector({}, undefined, words).exited).toEqual(doneWell)
  expect(await reader.exited).toEqual(doneWell)
}

test('the reader first: waits for messages, and the result is exact', async () => {
  const images = numbered(40)
  await begin(images)
  const reader = cloud.reader({}, undefined, ['--once'])
  await reader.said(/the reader is ready/)
  expect(await cloud.detector().exited).toEqual(doneWell)
  expect(await reader.exited).toEqual(doneWell)
  expect(await cloud.results()).toBe(expectedResults(images))
  await cloud.drained()
})

test('the reader long after the detector has ended, on a shuffled queue that repeats messages', async () => {
  const images = numbered(200)
  await begin(images, {
    seed: 11,
    faults: [
      {
        service: 'sqs',
        operations: ['SendMessageBatch'],
        share: 0.5,
        fault: { kind: 'hold back', mostSeconds: 2 },
      },
      { service: 'sqs', operations: ['SendMessageBatch'], share: 0.1, fault: { kind: 'repeat' } },
      { service: 'sqs', operations: ['DeleteMessageBatch'], share: 0.1, fault: { kind: 'pretend' } },
    ],
  })
  expect(await cloud.detector().exited).toEqual(doneWell)
  expect(await cloud.reader({}, undefined, ['--once']).exited).toEqual(doneWell)
  expect(await cloud.results()).toBe(expectedResults(images))
})

test('texts are read while the detector still works', async () => {
  await begin(numbered(60), { latency: () => delay(100), maxRequestsPerSecond: 20 })
  const reader = cloud.reader()
  const detector = cloud.detector()
  await until(() => [...cloud.vision.looks.keys()].some((look) => look.startsWith('text')))
  expect(detector.exit).toBeUndefined()
  expect(await detector.exited).toEqual(doneWell)
  expect(await reader.stop()).toEqual(doneWell)
})

test('two runs in a row: each has its own result, and the newer one is shown', async () => {
  const first = numbered(10)
  await begin(first)
  await runBoth()
  expect(await cloud.results()).toBe(expectedResults(first))
  const second = [...first, { key: '11.jpg', car: 95, lines: ['NEW 11'] }]
  await putImages(cloud, second.slice(-1))
  await runBoth()
  expect(await cloud.results()).toBe(expectedResults(second))
  await cloud.drained()
})

test('two detector runs before any reader: both are finished, the stale "-1" ends only its own', async () => {
  const images = numbered(15)
  await begin(images)
  expect(await cloud.detector().exited).toEqual(doneWell)
  expect(await cloud.detector({}, undefined, ['--all']).exited).toEqual(doneWell)
  const reader = cloud.reader()
  await until(() => (reader.log.match(/ is complete\b/g) ?? []).length === 2)
  expect(await reader.stop()).toEqual(doneWell)
  expect(await cloud.results()).toBe(expectedResults(images))
  await cloud.drained()
})

test('a FIFO queue, and a rerun within five minutes of the first', async () => {
  const images = numbered(30)
  await begin(images, { isFifo: true })
  await runBoth()
  expect(await cloud.results()).toBe(expectedResults(images))
  await runBoth(['--all'])
  expect(await cloud.results()).toBe(expectedResults(images))
  await cloud.drained()
})

test('2,500 keys with directories, spaces, plus, percent, accents, signs that XML or SQS refuse', async () => {
  const odd = [
    'a b',
    'a+b',
    'a%20b',
    'é/ü',
    'emoji 🚗',
    '日本/車',
    'quote\'"',
    'amp&<tag>',
    'tab\there',
    'bell\x07',
    '\uFFFF',
    '-1',
  ]
  const images = Array.from({ length: 2500 }, (_, place) => {
    const key = `${odd[place % odd.length]}/${place}${['.jpg', '.JPG', '.jpeg', '.PNG'][place % 4]}`
    return { key, lines: [`N ${place}`], ...(place % 50 === 0 && { car: 99 }) }
  })
  await begin([...images, { key: 'notes.txt' }, { key: 'film.gif' }])
  const detector = cloud.detector({ IMGPIPE_LOG_LEVEL: 'info' })
  expect(await detector.exited).toEqual(doneWell)
  expect(detector.log).toMatch(/images=2500 cars=50 failed=0/)
  expect(await cloud.reader({}, undefined, ['--once']).exited).toEqual(doneWell)
  const lines = (await cloud.results())?.trimEnd().split('\n') ?? []
  expect(lines.map((line) => /N \d+$/.exec(line)?.[0]).toSorted()).toEqual(
    images
      .filter(({ car }) => car)
      .map(({ lines }) => lines[0])
      .toSorted(),
  )
  await cloud.drained()
}, 240_000)

test('strictly more than the threshold: 90 is not, the next float is', async () => {
  const images = [
    { key: '1.jpg', car: 90, lines: ['NO'] },
    { key: '2.jpg', car: 90.00001, lines: ['YES'] },
    { key: '3.jpg', car: 89.9, lines: ['NO'] },
  ]
  await begin(images)
  await runBoth()
  expect(await cloud.results()).toBe('2.jpg: YES\n')
})

test('an empty bucket and a bucket without cars leave an empty result', async () => {
  await begin([{ key: 'person.jpg', lines: ['HELLO'] }])
  await runBoth()
  expect(await cloud.results()).toBe('')
})

test('maxImages and prefix bound the run', async () => {
  await begin([...numbered(9, 'in/'), ...numbered(3, 'out/')])
  const reader = cloud.reader({}, undefined, ['--once'])
  const detector = cloud.detector({ IMGPIPE_PREFIX: 'in/', IMGPIPE_MAX_IMAGES: '5' })
  expect(await detector.exited).toEqual(doneWell)
  expect(await reader.exited).toEqual(doneWell)
  expect(await cloud.results()).toBe(expectedResults(numbered(5, 'in/')))
})

test('a run of other settings is abandoned: no result comes of it, and nothing is paid for twice', async () => {
  const images = numbered(12)
  await begin(images, { latency: () => delay(50) })
  const interrupted = cloud.detector({ IMGPIPE_MAX_RPS: '4' })
  await until(() => cloud.vision.total >= 4)
  await interrupted.kill()
  const detector = cloud.detector({ IMGPIPE_MIN_CONFIDENCE: '95' })
  expect(await detector.exited).toEqual(doneWell)
  expect(detector.log).toMatch(/abandoning unfinished run/)
  const reader = cloud.reader()
  await reader.said(/is abandoned/)
  await reader.said(/is complete/)
  expect(await reader.stop()).toEqual(doneWell)
  expect(await cloud.results()).toBe(expectedResults(images))
  await cloud.drained()
})
