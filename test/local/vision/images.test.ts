import sharp, { type Sharp } from 'sharp'
import { beforeAll, describe, expect, test } from 'vitest'
import { decodeImage, decodeToSize } from '../../../src/local/vision/image.ts'
import { ObjectDetector, type RawObject } from '../../../src/local/vision/object-detection.ts'
import { INPUT_SIZE } from '../../../src/local/vision/object-model.ts'
import { UndecodableImage } from '../../../src/local/vision/vision.ts'
import { drawSign } from './drawing.ts'

const sign = drawSign(1280, 960)
let detector: ObjectDetector

beforeAll(async () => {
  detector = await ObjectDetector.load()
})

function drawn(): Sharp {
  return sharp(sign.data, { raw: { width: sign.width, height: sign.height, channels: 3 } })
}

async function best(image: Uint8Array): Promise<RawObject | undefined> {
  const found = await detector.detectRaw(await decodeToSize(image, INPUT_SIZE))
  return found.toSorted((a, b) => b.score - a.score)[0]
}

/** Some decisions have little margin: an update must not change the kernel, decoder or model unnoticed. */
describe('what the confidences depend on', () => {
  test('from a JPEG to the model’s input', async () => {
    const { data } = await decodeToSize(await drawn().jpeg({ quality: 85 }).toBuffer(), INPUT_SIZE)
    expect(data.reduce((sum, value) => sum + value, 0) / data.length).toBeCloseTo(162.4705, 3)
  })

  test('from a PNG to the model’s input', async () => {
    const { data } = await decodeToSize(await drawn().png().toBuffer(), INPUT_SIZE)
    expect(data.reduce((sum, value) => sum + value, 0) / data.length).toBeCloseTo(162.5554, 3)
  })

  test.each([
    ['jpeg', 0.99321],
    ['png', 0.99364],
  ] as const)('the score of a %s', async (format, score) => {
    const found = await best(await drawn().toFormat(format, { quality: 85 }).toBuffer())
    expect(found?.name).toBe('Stopsign')
    expect(Math.abs((found?.score ?? 0) - score)).toBeLessThan(0.0002)
  })
})

test.each<[string, () => Sharp]>([
  ['a PNG with 16 bits', () => drawn().toColourspace('rgb16').png()],
  ['a PNG with a palette', () => drawn().png({ palette: true, colours: 64 })],
  ['a PNG with transparency', () => drawn().ensureAlpha(0.9).png()],
  ['a JPEG for print (CMYK)', () => drawn().toColourspace('cmyk').jpeg()],
  ['a progressive JPEG', () => drawn().jpeg({ progressive: true })],
])('%s shows the same sign', async (_, encode) => {
  const found = await best(await encode().toBuffer())
  expect(found?.name).toBe('Stopsign')
  expect(found?.score).toBeGreaterThan(0.9)
})

test.each<[string, () => Sharp]>([
  ['JPEG', () => drawn().toColourspace('b-w').jpeg()],
  ['PNG', () => drawn().toColourspace('b-w').png()],
  ['PNG with transparency', () => drawn().toColourspace('b-w').ensureAlpha(0.5).png()],
  ['PNG with 16 bits', () => drawn().toColourspace('grey16').png()],
])('a grey %s has three channels', async (_, encode) => {
  const pixels = await decodeImage(await encode().toBuffer(), 4096)
  expect(pixels.data).toHaveLength(1280 * 960 * 3)
  const [red, green, blue] = pixels.data.subarray(0, 3)
  expect(green).toBe(red)
  expect(blue).toBe(red)
  expect(red).toBeGreaterThan(100)
})

describe('orientation', () => {
  /** Stored lying on its side, with the word that it must be turned by 90 degrees. */
  const lying = () =>
    drawn().rotate(270).withExif({}).jpeg({ quality: 95 }).withMetadata({ orientation: 6 }).toBuffer()

  test('the EXIF orientation is applied to the whole image', async () => {
    const { width, height } = await decodeImage(await lying(), 4096)
    expect([width, height]).toEqual([1280, 960])
  })

  test('and before it is resized for the model', async () => {
    const { data } = await decodeToSize(await lying(), INPUT_SIZE)
    const upright = await decodeToSize(await drawn().jpeg({ quality: 95 }).toBuffer(), INPUT_SIZE)
    const difference = data.reduce((sum, value, at) => sum + Math.abs(value - (upright.data[at] ?? 0)), 0)
    expect(difference / data.length).toBeLessThan(2)
  })
})

test('transparent parts are white', async () => {
  const clear = sharp({ create: { width: 100, height: 80, channels: 4, background: '#00000000' } })
  const { data } = await decodeImage(await clear.png().toBuffer(), 4096)
  expect(data.every((value) => value === 255)).toBe(true)
})

test('a large image is downscaled to the requested size', async () => {
  const { width, height } = await decodeImage(await drawn().jpeg().toBuffer(), 640)
  expect([width, height]).toEqual([640, 480])
})

describe('what cannot be decoded', () => {
  const jpeg = () => drawn().jpeg().toBuffer()
  const png = () => drawn().png().toBuffer()
  test.each<[string, () => Promise<Uint8Array>]>([
    ['no bytes', async () => new Uint8Array(0)],
    ['text', async () => Buffer.from('This is not an image at all.')],
    ['a JPEG of which half is missing', async () => (await jpeg()).subarray(0, 6000)],
    ['a JPEG of which only the head is there', async () => (await jpeg()).subarray(0, 300)],
    ['a PNG of which half is missing', async () => (await png()).subarray(0, 3000)],
    [
      'a drawing in SVG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>'),
    ],
    ['a GIF', () => drawn().gif().toBuffer()],
  ])('%s is refused', async (_, bytes) => {
    const image = await bytes()
    await expect(decodeToSize(image, INPUT_SIZE)).rejects.toThrow(UndecodableImage)
    await expect(decodeImage(image, 4096)).rejects.toThrow(
      /^The bytes cannot be decoded as a JPEG or PNG image: /,
    )
  })
})
