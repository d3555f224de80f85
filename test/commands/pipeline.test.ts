import { rm } from 'node:fs/promises'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { writeMeta } from '../../src/state/meta.ts'
import { openDatabase } from '../status/state-fixture.ts'
import { simulatedImage } from '../support/simulated-vision.ts'
import { TestCloud } from '../support/test-cloud.ts'
import { killLeftWorkers, WorkerProcess } from '../support/worker-process.ts'
import { imgpipe } from './imgpipe.ts'

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

const car = [{ name: 'Car', confidence: 99 }]

/** Two images, one of them with a car and text, one state directory, and commands that use them. */
async function cloudWithImages() {
  const cloud = await TestCloud.start()
  onTestFinished(() => cloud.stop())
  await cloud.put('1.jpg', simulatedImage({ id: '1', objects: car, lines: ['YHI9 OTZ'] }))
  await cloud.put('2.jpg', simulatedImage({ id: '2', objects: [], lines: [] }))
  const environment = cloud.environment(cloud.readerState)
  const run = (...words: string[]) => imgpipe(words, environment)
  const both = async () => {
    const reader = WorkerProcess.start({ arguments: ['read', '--once'], environment })
    const detector = await run('detect')
    return { detector, reader: await reader.exited }
  }
  return { cloud, environment, run, both }
}

describe('both workers on one state directory', () => {
  it('complete a run, which status, runs and plan know', async () => {
    const { run, both } = await cloudWithImages()
    const { detector, reader } = await both()
    expect([detector.code, reader.code]).toEqual([0, 0])
    const status = await run('status')
    expect(status.code).toBe(0)
    expect(status.lines).toEqual([
      'detector: not running, 2 Rekognition calls answered today',
      'reader:   not running, 1 Rekognition call answered today',
      '',
      expect.stringMatching(/^run \d{8}T\d{6}Z-\w{4}, started .* UTC, bucket images, label Car$/),
      '  detector  done: 2 of 2 images, 1 car',
      '  reader    complete: 1 of 1 car read, 1 with text',
      expect.stringMatching(/^ {2}cost {6}3 Rekognition calls \(\$0\.0030\), SQS and S3 \$0\.0000\d+$/),
      expect.stringMatching(/^ {2}results {3}\/.*results\.txt$/),
    ])
    expect(JSON.parse((await run('runs', '--json')).text)).toMatchObject([
      { detector: { state: 'done', asked: 2 }, reader: { state: 'complete', asked: 1 } },
    ])
    expect((await run('plan')).lines.at(-1)).toMatch(
      /^nothing new since run .*: "imgpipe detect" ends at once$/,
    )
    expect(await run('detect')).toMatchObject({
      code: 0,
      text: expect.stringContaining('nothing new since run'),
    })
  })

  it('are refused a second time, with exit code 75 and a sentence', async () => {
    const { environment, run } = await cloudWithImages()
    const reader = WorkerProcess.start({ arguments: ['read'], environment })
    await reader.said(/the reader is ready/)
    const { code, lines } = await run('read')
    expect([code, lines]).toEqual([
      75,
      [expect.stringMatching(/^imgpipe: Another imgpipe reader is already running/)],
    ])
    await reader.kill()
  })
})

describe('imgpipe plan', () => {
  it('of a first run needs no database, and calls no Rekognition', async () => {
    const { cloud, run } = await cloudWithImages()
    await rm(cloud.readerState, { recursive: true, force: true })
    const { code, lines } = await run('plan')
    expect([code, lines]).toEqual([
      0,
      [
        'plan: 2 images: 2 new, 0 changed, 0 unchanged, 0 removed',
        'plan: 2 DetectLabels calls, $0.0020',
        'plan: about 2 DetectText calls by the reader, $0.0020',
      ],
    ])
    expect(cloud.vision.looks.size).toBe(0)
  })

  it('counts what is new, changed and removed, estimates the reader’s calls, and is printed for programs', async () => {
    const { cloud, run, both } = await cloudWithImages()
    await both()
    await cloud.put('2.jpg', simulatedImage({ id: '2b', objects: car, lines: [] }))
    for (const id of ['3', '4', '5'])
      await cloud.put(`${id}.jpg`, simulatedImage({ id, objects: car, lines: [] }))
    const database = await openDatabase(cloud.readerState, 'detector')
    await database.commit(() => writeMeta(database, 'rate-per-second', '3'))
    const { code, text } = await run('plan', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(text)).toEqual({
      images: 5,
      new: 3,
      changed: 1,
      unchanged: 1,
      repeated: 0,
      retried: 0,
      removed: 0,
      knownCars: 1,
      detectLabelsCalls: 4,
      detectTextCalls: 4,
      dollars: { detectLabels: 0.004, detectText: 0.004 },
      ratePerSecond: 3,
      seconds: 2,
      days: 1,
      unfinishedRun: null,
      unchangedSince: null,
    })
  })

  it('says why the bucket cannot be listed', async () => {
    const { environment } = await cloudWithImages()
    const missing = await imgpipe(['plan'], { ...environment, IMGPIPE_BUCKET: 'no-such-bucket' })
    expect([missing.code, missing.lines]).toEqual([78, [expect.stringContaining('no-such-bucket')]])
  })
})
