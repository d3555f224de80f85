import { DetectLabelsCommand, DetectTextCommand, type Image } from '@aws-sdk/client-rekognition'
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { UndecodableImage, type Vision } from '../../../src/local/vision/vision.ts'
import { call, line, object, seeing, testCloud, testImage, word } from '../cloud.ts'

const mebibyte = 1024 * 1024
const vision = seeing({ objects: [object('Car', 91)], lines: [line(99, word('YHI9', 98))] })

/** A JPEG with trailing bytes, which viewers ignore. */
async function jpegOf(bytes: number): Promise<Uint8Array> {
  const start = await testImage('jpeg')
  const whole = new Uint8Array(bytes)
  whole.set(start)
  return whole
}

/** The SDK's error names of both operations, or "ok". */
async function outcomes(options: Parameters<typeof testCloud>[0], ...images: Image[]): Promise<string[][]> {
  const { rekognition } = await testCloud({ vision, ...options })
  const name = (error: Error) => error.name
  const labels = (Image: Image) => rekognition.send(new DetectLabelsCommand({ Image })).then(() => 'ok', name)
  const text = (Image: Image) => rekognition.send(new DetectTextCommand({ Image })).then(() => 'ok', name)
  return Promise.all(images.map(async (image) => [await labels(image), await text(image)]))
}

const format = 'InvalidImageFormatException'
const parameter = 'InvalidParameterException'
const size = 'ImageTooLargeException'

describe('The image’s bytes decide', () => {
  it.each<[string, () => Promise<Uint8Array>, [labels: string, text: string]]>([
    ['JPEG', () => testImage('jpeg'), ['ok', 'ok']],
    ['PNG', () => testImage('png'), ['ok', 'ok']],
    ['GIF', () => testImage('gif'), [format, format]],
    ['WebP', () => testImage('webp'), [format, format]],
    ['TIFF', () => testImage('tiff'), [format, format]],
    ['AVIF', () => testImage('avif'), [format, format]],
    [
      'SVG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"/>'),
      [format, format],
    ],
    ['text', async () => Buffer.from('this is not an image'), [format, format]],
    ['JPEG’s first bytes alone', async () => (await testImage()).slice(0, 20), [format, format]],
    ['PNG’s first bytes alone', async () => (await testImage('png')).slice(0, 12), [format, format]],
    ['80 × 80', () => testImage('jpeg', 80, 80), ['ok', 'ok']],
    ['79 × 80', () => testImage('jpeg', 79, 80), [parameter, parameter]],
    ['80 × 79', () => testImage('png', 80, 79), [parameter, parameter]],
    ['10,000 × 80', () => testImage('png', 10_000, 80), ['ok', 'ok']],
    ['10,001 × 80', () => testImage('png', 10_001, 80), [parameter, 'ok']],
    ['80 × 10,001', () => testImage('jpeg', 80, 10_001), [parameter, 'ok']],
    ['5 MiB', () => jpegOf(5 * mebibyte), ['ok', 'ok']],
    ['a byte more than 5 MiB', () => jpegOf(5 * mebibyte + 1), [size, size]],
    ['a whole request far too large', () => jpegOf(20 * mebibyte), [size, size]],
  ])('%s', async (_name, make, expected) => {
    expect(await outcomes({}, { Bytes: await make() })).toEqual([expected])
  })

  it('is reported as an invalid format if it cannot be decoded', async () => {
    const undecodable = async () => {
      throw new UndecodableImage('cut off')
    }
    const broken: Vision = { ...seeing({}), objects: undecodable, text: undecodable }
    expect(await outcomes({ vision: broken }, { Bytes: await testImage() })).toEqual([[format, format]])
  })
})

describe('An image in S3', () => {
  const Bucket = 'images'

  it('is found by bucket, key and version, and may be as large as 15 MiB', async () => {
    const { s3, rekognition } = await testCloud({ vision })
    const look = async (Name: string, rest: object = {}) => {
      const Image = { S3Object: { Bucket, Name, ...rest } }
      const labels = rekognition.send(new DetectLabelsCommand({ Image }))
      return labels.then(
        ({ Labels }) => Labels?.[0]?.Name,
        (error: Error) => error.name,
      )
    }
    await s3.send(new CreateBucketCommand({ Bucket }))
    const put = (Key: string, Body: Uint8Array) => s3.send(new PutObjectCommand({ Bucket, Key, Body }))
    await put('ä b+c%41/1.jpg', await testImage())
    await put('full.jpg', await jpegOf(15 * mebibyte))
    await put('over.jpg', await jpegOf(15 * mebibyte + 1))
    await put('empty.jpg', new Uint8Array())

    expect(await look('ä b+c%41/1.jpg')).toBe('Car')
    expect(await look('ä b+cA/1.jpg')).toBe('InvalidS3ObjectException')
    expect(await look('ä b+c%41/1.jpg', { Version: 'null' })).toBe('Car')
    expect(await look('ä b+c%41/1.jpg', { Version: 'other' })).toBe('InvalidS3ObjectException')
    expect(await look('full.jpg', { Bucket: 'others' })).toBe('InvalidS3ObjectException')
    expect(await look('full.jpg')).toBe('Car')
    expect(await look('over.jpg')).toBe(size)
    expect(await look('empty.jpg')).toBe(format)
  })
})

describe('The models', () => {
  it('that fail are the server’s fault, in one sentence here and none there', async () => {
    const failing = async () => {
      throw new Error('model file /secret/path is broken')
    }
    const log: string[] = []
    const { url } = await testCloud({
      vision: { ...seeing({}), objects: failing },
      log: (text) => log.push(text),
    })
    const Bytes = Buffer.from(await testImage()).toString('base64')
    const failed = await call(url, 'DetectLabels', { Image: { Bytes } })
    expect(failed).toMatchObject({
      status: 500,
      error: 'InternalServerError',
      message: 'Internal server error',
    })
    expect(log.join()).toContain(`${failed.headers.get('x-amzn-requestid')} failed: model file`)
  })

  it('answer DetectText with what they read', async () => {
    const { rekognition } = await testCloud({ vision })
    const found = await rekognition.send(new DetectTextCommand({ Image: { Bytes: await testImage() } }))
    expect(found.TextModelVersion).toMatch(/^imgpipe/)
    expect(found.TextDetections?.map(({ DetectedText, Type }) => [DetectedText, Type])).toEqual([
      ['YHI9', 'LINE'],
      ['YHI9', 'WORD'],
    ])
  })
})
