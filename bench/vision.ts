/**
 * Throughput of the recognition in images per second, compared with the bare object model on one thread.
 *
 *   node bench/vision.ts DIR
 *
 * DIR contains JPEG or PNG images; each is processed once per line of the table, without a cache.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { decodeToSize } from '../src/local/vision/image.ts'
import { ObjectDetector } from '../src/local/vision/object-detection.ts'
import { INPUT_SIZE } from '../src/local/vision/object-model.ts'
import { startVision } from '../src/local/vision/vision.ts'

const MAX_IMAGES = 200

const directory = process.argv[2]
if (directory === undefined) {
  console.error('Specify a directory with images: node bench/vision.ts DIR')
  process.exitCode = 64
} else {
  const images = await readImages(directory)
  console.log(`${images.length} images`)
  await bareModel(images)
  for (const threads of [1, 2]) await labels(images, threads)
}

async function readImages(from: string): Promise<Buffer[]> {
  const names = (await readdir(from)).filter((name) => /\.(jpe?g|png)$/i.test(name)).slice(0, MAX_IMAGES)
  return await Promise.all(names.map((name) => readFile(join(from, name))))
}

async function bareModel(images: Buffer[]): Promise<void> {
  sharp.concurrency(1)
  const detector = await ObjectDetector.load()
  const decoded = await Promise.all(images.map((image) => decodeToSize(image, INPUT_SIZE)))
  await measure('object model only, 1 thread, without decoding', images.length, async () => {
    for (const pixels of decoded) await detector.detectRaw(pixels)
  })
}

async function labels(images: Buffer[], threads: number): Promise<void> {
  const vision = await startVision({ threads, cacheSize: 0 })
  await measure(`labels, ${threads} worker threads, with decoding`, images.length, async () => {
    await Promise.all(images.map((image) => vision.objects(image)))
  })
  await vision.close()
}

async function measure(what: string, count: number, work: () => Promise<void>): Promise<void> {
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const [each, rate] = [(1000 * seconds) / count, count / seconds]
  console.log(`${what.padEnd(52)} ${each.toFixed(1).padStart(7)} ms ${rate.toFixed(1).padStart(7)} images/s`)
}
