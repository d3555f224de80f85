import { readdir, readFile } from 'node:fs/promises'
import { DetectLabelsCommand, DetectTextCommand, type Image } from '@aws-sdk/client-rekognition'
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startVision, type Vision } from '../../src/local/vision/vision.ts'
import { testCloud } from './cloud.ts'

const samples = new URL('../../samples/', import.meta.url)

let vision: Vision
let cloud: Awaited<ReturnType<typeof testCloud>>
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  vision = await startVision()
  cloud = await testCloud({ vision }, (stop) => stops.push(stop))
  await cloud.s3.send(new CreateBucketCommand({ Bucket: 'images' }))
}, 120_000)
afterAll(async () => {
  for (const stop of stops) await stop()
  await vision.close()
})

async function carIn(Image: Image): Promise<number> {
  const { Labels = [] } = await cloud.rekognition.send(new DetectLabelsCommand({ Image, MinConfidence: 0 }))
  return Labels.find(({ Name }) => Name === 'Car')?.Confidence ?? 0
}

async function linesIn(Image: Image): Promise<string[]> {
  const { TextDetections = [] } = await cloud.rekognition.send(new DetectTextCommand({ Image }))
  return TextDetections.filter(({ Type }) => Type === 'LINE').map(({ DetectedText = '' }) => DetectedText)
}

async function sample(name: string): Promise<Uint8Array> {
  return readFile(new URL(name, samples))
}

describe('Real recognition', { timeout: 300_000 }, () => {
  it('answers by the bytes alone: the same under any name, other ones under the same name', async () => {
    const names = (await readdir(samples)).filter((name) => name.endsWith('.jpg'))
    const byBytes = new Map<string, number>()
    for (const name of names) byBytes.set(name, await carIn({ Bytes: await sample(name) }))
    const next = (at: number) => names[(at + 1) % names.length] ?? ''
    for (const [at, name] of names.entries()) {
      const Body = await sample(next(at))
      await cloud.s3.send(new PutObjectCommand({ Bucket: 'images', Key: name, Body }))
      const inS3 = await carIn({ S3Object: { Bucket: 'images', Name: name } })
      expect(inS3).toBe(byBytes.get(next(at)))
    }
    const sure = [...byBytes.values()].filter((confidence) => confidence > 90)
    expect(sure.length).toBeGreaterThanOrEqual(6)
    expect(sure.length).toBeLessThan(names.length)
  })

  it('gives boxes and polygons as shares of the image, and confidences as percents', async () => {
    const Bytes = await sample('1.jpg')
    const { Labels = [] } = await cloud.rekognition.send(new DetectLabelsCommand({ Image: { Bytes } }))
    const { TextDetections = [] } = await cloud.rekognition.send(new DetectTextCommand({ Image: { Bytes } }))
    const boxes = Labels.flatMap(({ Instances = [] }) => Instances.map(({ BoundingBox }) => BoundingBox))
    for (const { Left = -1, Top = -1, Width = 9, Height = 9 } of boxes.map((box) => box ?? {})) {
      expect(Math.min(Left, Top)).toBeGreaterThanOrEqual(0)
      expect(Math.max(Left + Width, Top + Height)).toBeLessThanOrEqual(1.000_001)
    }
    const confidences = [...Labels, ...TextDetections].map(({ Confidence = -1 }) => Confidence)
    expect(Math.min(...confidences)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...confidences)).toBeLessThanOrEqual(100)
  })

  it.each<[string, (source: Sharp) => Sharp]>([
    ['progressive JPEG', (source) => source.jpeg({ progressive: true })],
    ['grey JPEG', (source) => source.greyscale().jpeg()],
    ['CMYK JPEG', (source) => source.toColourspace('cmyk').jpeg()],
    ['PNG', (source) => source.png()],
    ['PNG with transparency', (source) => source.ensureAlpha(0.99).png()],
    ['PNG of 16 bits', (source) => source.toColourspace('rgb16').png()],
    ['PNG with a palette', (source) => source.png({ palette: true })],
    [
      'JPEG that lies on its side, by EXIF',
      (source) => source.rotate(-90).withMetadata({ orientation: 6 }).jpeg(),
    ],
  ])('sees the car in a %s', async (_name, convert) => {
    const Bytes = await convert(sharp(await sample('1.jpg'))).toBuffer()
    expect(await carIn({ Bytes })).toBeGreaterThan(50)
    expect((await linesIn({ Bytes })).length).toBeGreaterThan(0)
  })

  it.each(['jpeg', 'png'] as const)('refuses a %s that is cut off', async (format) => {
    const whole = await sharp(await sample('1.jpg'))
      .toFormat(format)
      .toBuffer()
    const Image = { Bytes: whole.subarray(0, whole.length / 2) }
    await expect(carIn(Image)).rejects.toMatchObject({ name: 'InvalidImageFormatException' })
    await expect(linesIn(Image)).rejects.toMatchObject({ name: 'InvalidImageFormatException' })
  })

  it('leaves S3 free to answer meanwhile', async () => {
    const Bytes = await sample('1.jpg')
    let looking = 6
    const looks = Array.from({ length: looking }, () => linesIn({ Bytes }).finally(() => (looking -= 1)))
    await cloud.s3.send(new ListBucketsCommand({}))
    expect(looking).toBeGreaterThan(0)
    await Promise.all(looks)
  })
})
