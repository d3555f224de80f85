import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import sharp from 'sharp'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { bytesOf, expectedResults, numbered, putImages } from '../pipeline/images.ts'
import { jpegShowing, lookOf, simulatedImage } from '../support/simulated-vision.ts'
import { bucket, TestCloud, until } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { doneRun, detectorFailures as failuresOf } from './recorded.ts'

let cloud: TestCloud

beforeEach(async () => {
  cloud = await TestCloud.start()
})

afterEach(() => cloud.stop())

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

const doneWell = { code: 0, signal: null }
const sure = [{ name: 'Car', confidence: 99 }]

/** Both workers over what is in the bucket. @returns results.txt and the images of results.json */
async function runBoth(settings: Record<string, string> = {}) {
  const reader = cloud.reader(settings, undefined, ['--once'])
  expect(await cloud.detector(settings).exited).toEqual(doneWell)
  expect(await reader.exited).toEqual(doneWell)
  const run = doneRun(cloud.detectorState) ?? ''
  const json = await readFile(join(cloud.readerState, 'runs', run, 'results.json'), 'utf8')
  const { outcomes: images }: { outcomes: { key: string; outcome: string; reason?: string }[] } =
    JSON.parse(json)
  return { results: await cloud.results(), images }
}

/** The detector's failures: reasons by key. */
function detectorFailures(): Record<string, string> {
  return Object.fromEntries(failuresOf(cloud.detectorState).map(({ key, reason }) => [key, reason]))
}

function plain(width: number, height: number) {
  return sharp({ create: { width, height, channels: 3, background: '#3a6' } })
}

test('what is not an image is one failure with its reason, what only looks odd comes out right', async () => {
  const jpeg = await plain(100, 100).jpeg().toBuffer()
  const bad: Record<string, { bytes: Uint8Array; reason: RegExp }> = {
    'empty.jpg': { bytes: Buffer.alloc(0), reason: /./ },
    'one-byte.jpg': { bytes: Buffer.from([0xff]), reason: /InvalidImageFormat/ },
    'truncated.jpg': { bytes: jpeg.subarray(0, 100), reason: /InvalidImageFormat/ },
    'gif.jpg': { bytes: await plain(100, 100).gif().toBuffer(), reason: /InvalidImageFormat/ },
    'webp.png': { bytes: await plain(100, 100).webp().toBuffer(), reason: /InvalidImageFormat/ },
    'heif.jpg': { bytes: await plain(100, 100).avif().toBuffer(), reason: /InvalidImageFormat/ },
    'svg.jpg': {
      bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
      reason: /InvalidImageFormat/,
    },
    'text.jpg': { bytes: Buffer.from('not at all'), reason: /InvalidImageFormat/ },
    '16-mb.jpg': {
      bytes: simulatedImage({ id: '16-mb.jpg', objects: sure, lines: [] }, 16_000_000),
      reason: /ImageTooLarge/,
    },
    '79-px.jpg': { bytes: await plain(79, 79).jpeg().toBuffer(), reason: /79 x 79/ },
    '10001-px.png': { bytes: await plain(10_001, 80).png().toBuffer(), reason: /10001 x 80/ },
  }
  for (const [key, { bytes }] of Object.entries(bad)) await cloud.put(key, bytes)
  const cmyk = await plain(100, 100).toColourspace('cmyk').jpeg().toBuffer()
  await cloud.put('1-cmyk.jpg', jpegShowing(cmyk, { id: '1-cmyk.jpg', objects: sure, lines: ['CMYK'] }))
  const large = { id: '2-6-mb.jpg', objects: sure, lines: ['LARGE'] }
  await cloud.put('2-6-mb.jpg', simulatedImage(large, 6_000_000))
  await cloud.put('3-png.jpg', simulatedImage({ id: '3-png.jpg', objects: sure, lines: ['PNG'] }))

  const { results } = await runBoth()
  expect(results).toBe('1-cmyk.jpg: CMYK\n2-6-mb.jpg: LARGE\n3-png.jpg: PNG\n')
  const failures = detectorFailures()
  expect(Object.keys(failures).toSorted()).toEqual(Object.keys(bad).toSorted())
  for (const [key, { reason }] of Object.entries(bad)) expect(failures[key], key).toMatch(reason)
})

test('an image that is gone or another one when its turn comes is a failure with that reason', async () => {
  const images = [...numbered(3), { key: 'gone.jpg', car: 99 }].concat(
    ['late-gone.jpg', 'late-other.jpg', 'unreadable.jpg'].map((key) => ({ key, car: 99, lines: ['LOST'] })),
  )
  await putImages(cloud, images)
  const remove = (Key: string) => cloud.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }))
  const listed = new Promise<void>((resolve) => {
    cloud.proxy.onSeen(({ operation }) => operation === 'ListObjectsV2' && resolve())
  })
  const gone = listed.then(() => remove('gone.jpg'))
  cloud.proxy.add({
    when: (request) => lookOf(request) === 'objects gone.jpg',
    fault: { kind: 'wait', until: gone },
  })
  let looked = 0
  const detected = new Promise<void>((resolve) => {
    cloud.proxy.onSeen(({ operation }) => {
      if (operation === 'DetectLabels' && ++looked === images.length) resolve()
    })
  })
  const changed = detected.then(async () => {
    await remove('late-gone.jpg')
    await cloud.put('late-other.jpg', bytesOf({ key: 'late-other.jpg', car: 99, lines: ['NEW'] }))
  })
  cloud.proxy.add({ operations: ['GetObject'], fault: { kind: 'wait', until: changed } })
  cloud.proxy.add({
    when: (request) => lookOf(request) === 'text unreadable.jpg',
    fault: { kind: 'refuse', refusal: 'not an image' },
  })

  const { results, images: read } = await runBoth()
  expect(results).toBe(expectedResults(numbered(3)))
  expect(detectorFailures()).toEqual({ 'gone.jpg': expect.stringMatching(/does not exist/) })
  const reasons = read.flatMap(({ key, outcome, reason }) => (outcome === 'failed' ? [[key, reason]] : []))
  expect(Object.fromEntries(reasons)).toEqual({
    'late-gone.jpg': expect.stringMatching(/does not exist/),
    'late-other.jpg': expect.stringMatching(/replaced/),
    'unreadable.jpg': expect.stringMatching(/InvalidImageFormat/),
  })
})

test('images that a service fails on for ever do not keep the run from its end', async () => {
  const bad = ['never.jpg', 'never-text.jpg', 'never-whole.jpg', 'never-allowed.jpg']
  const images = [...numbered(4), ...bad.map((key) => ({ key, car: 99 }))]
  await putImages(cloud, images)
  cloud.proxy.add({
    when: (request) => ['objects never.jpg', 'text never-text.jpg'].includes(lookOf(request) ?? ''),
    fault: { kind: 'refuse', refusal: 'broken' },
  })
  const at = (key: string) => (request: { path: string }) => request.path.endsWith(`/${key}`)
  cloud.proxy.add({ operations: ['GetObject'], when: at('never-whole.jpg'), fault: { kind: 'cut' } })
  cloud.proxy.add({
    operations: ['GetObject'],
    when: at('never-allowed.jpg'),
    fault: { kind: 'refuse', refusal: 'denied' },
  })
  const { results, images: read } = await runBoth({ IMGPIPE_MAX_ATTEMPTS: '2' })
  expect(results).toBe(expectedResults(numbered(4)))
  expect(detectorFailures()).toEqual({ 'never.jpg': expect.stringMatching(/InternalServerError/) })
  const failed = read.filter(({ outcome }) => outcome === 'failed')
  expect(failed).toMatchObject([
    { key: 'never-allowed.jpg', reason: expect.stringMatching(/AccessDenied/) },
    { key: 'never-text.jpg', reason: expect.stringMatching(/InternalServerError/) },
    { key: 'never-whole.jpg', reason: expect.stringMatching(/attempts/) },
  ])
})

test('while Rekognition is down as a whole nothing is counted against any image', async () => {
  const images = numbered(6)
  await putImages(cloud, images)
  const repair = cloud.proxy.add({ service: 'rekognition', fault: { kind: 'refuse', refusal: 'broken' } })
  // One may be counted when the repair falls between an attempt and its judgement.
  const detector = cloud.detector({ IMGPIPE_MAX_ATTEMPTS: '2' })
  const reader = cloud.reader({ IMGPIPE_MAX_ATTEMPTS: '2' }, undefined, ['--once'])
  // Enough for each image to have had its attempts, and controls beside them.
  await cloud.proxy.arrivals(40, ({ service }) => service === 'rekognition')
  repair()
  expect(await detector.exited).toEqual(doneWell)
  expect(await reader.exited).toEqual(doneWell)
  await until(async () => (await cloud.results()) !== undefined)
  expect(await cloud.results()).toBe(expectedResults(images))
  expect(detectorFailures()).toEqual({})
}, 120_000)
