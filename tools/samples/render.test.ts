import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { render } from './render.ts'

const size = { width: 96, height: 64 }

/** Mean absolute difference of two images per channel, 0 to 255. */
async function difference(a: Buffer, b: string): Promise<number> {
  const [one, other] = await Promise.all(
    [a, b].map((image) => sharp(image).resize(size.width, size.height).removeAlpha().raw().toBuffer()),
  )
  if (!one || !other) throw new Error('An image could not be decoded.')
  return one.reduce((sum, level, at) => sum + Math.abs(level - (other[at] ?? 0)), 0) / one.length
}

const sample = (number: number) => fileURLToPath(new URL(`../../samples/${number}.jpg`, import.meta.url))

test('a scene rendered at 96 × 64 is the downscaled sample image, and no other one', async () => {
  const rendered = await render(10, size, 9)
  expect(await difference(rendered, sample(10))).toBeLessThan(6)
  expect(await difference(rendered, sample(4))).toBeGreaterThan(20)
})

test('an unknown number is rejected', async () => {
  await expect(render(11, size, 1)).rejects.toThrow('Unknown image 11: the numbers are 1 to 10.')
})
