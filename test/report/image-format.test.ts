import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { imageFormat } from '../../src/report/image-format.ts'
import { grayImage } from './run-fixture.ts'

describe('the size of an image from its head', () => {
  test.each([
    [undefined, 300, 200],
    [1, 300, 200],
    [3, 300, 200],
    [5, 200, 300],
    [6, 200, 300],
    [8, 200, 300],
  ])(
    'a JPEG of 300 × 200 with EXIF orientation %s is shown as %i × %i',
    async (orientation, width, height) => {
      const bytes = await grayImage(300, 200, orientation)
      expect(imageFormat(bytes)).toEqual({ extension: 'jpg', width, height })
    },
  )

  test('a progressive JPEG', async () => {
    const bytes = await sharp(await grayImage(64, 48))
      .jpeg({ progressive: true })
      .toBuffer()
    expect(imageFormat(bytes)).toEqual({ extension: 'jpg', width: 64, height: 48 })
  })

  test('a PNG', async () => {
    const bytes = await sharp(await grayImage(64, 48))
      .png()
      .toBuffer()
    expect(imageFormat(bytes)).toEqual({ extension: 'png', width: 64, height: 48 })
  })

  test('a JPEG whose EXIF points out of the image keeps its size', async () => {
    const bytes = await grayImage(300, 200, 6)
    const tiff = Buffer.from(bytes).indexOf('Exif') + 6
    bytes.fill(0xff, tiff + 4, tiff + 8)
    expect(imageFormat(bytes)).toEqual({ extension: 'jpg', width: 300, height: 200 })
  })

  test('every part of a JPEG that is cut short is no image, or the whole one', async () => {
    const bytes = await grayImage(300, 200, 6)
    const whole = { extension: 'jpg', width: 200, height: 300 }
    for (let length = 0; length < bytes.length; length += 1) {
      expect([undefined, whole]).toContainEqual(imageFormat(bytes.subarray(0, length)))
    }
  })

  test.each([
    ['nothing', new Uint8Array()],
    ['HTML', new TextEncoder().encode('<!doctype html><script>alert(1)</script>')],
    ['an SVG', new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')],
    ['a GIF', new TextEncoder().encode('GIF89a\x01\x00\x01\x00')],
    ['a PNG of no size', new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, ...new Array(20).fill(0)])],
  ])('%s is no image', (_, bytes) => {
    expect(imageFormat(bytes)).toBeUndefined()
  })
})
