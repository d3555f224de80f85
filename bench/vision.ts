/**
 * How many pictures a second the recognition looks at, beside the bare object model on one thread.
 *
 *   node bench/vision.ts DIR
 *
 * DIR holds JPEG or PNG pictures; each is looked at once per line of the table, nothing is remembered.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { ObjectDetector } from '../src/local/vision/object-detection.ts'
import { INPUT_SIZE } from '../src/local/vision/object-model.ts'
import { decodeToSize } from '../src/local/vision/picture.ts'
import { startVision } from '../src/local/vision/vision.ts'

const MOST_PICTURES = 200

const directory = process.argv[2]
if (directory === undefined) {
  console.error('Name a folder with pictures: node bench/vision.ts DIR')
  process.exitCode = 64
} else {
  const pictures = await readPictures(directory)
  console.log(`${pictures.length} pictures`)
  await bareModel(pictures)
  for (const threads of [1, 2]) await labels(pictures, threads)
}

async function readPictures(from: string): Promise<Buffer[]> {
  const names = (await readdir(from)).filter((name) => /\.(jpe?g|png)$/i.test(name)).slice(0, MOST_PICTURES)
  return await Promise.all(names.map((name) => readFile(join(from, name))))
}

async function bareModel(pictures: Buffer[]): Promise<void> {
  sharp.concurrency(1)
  const detector = await ObjectDetector.load()
  const decoded = await Promise.all(pictures.map((picture) => decodeToSize(picture, INPUT_SIZE)))
  await measure('the object model alone, 1 thread, decoded before', pictures.length, async () => {
    for (const pixels of decoded) await detector.detectRaw(pixels)
  })
}

async function labels(pictures: Buffer[], threads: number): Promise<void> {
  const vision = await startVision({ threads, remember: 0 })
  await measure(`labels, ${threads} worker thread(s), with decoding`, pictures.length, async () => {
    await Promise.all(pictures.map((picture) => vision.objects(picture)))
  })
  await vision.close()
}

async function measure(what: string, count: number, work: () => Promise<void>): Promise<void> {
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const [each, rate] = [(1000 * seconds) / count, count / seconds]
  console.log(
    `${what.padEnd(52)} ${each.toFixed(1).padStart(7)} ms ${rate.toFixed(1).padStart(7)} pictures/s`,
  )
}
