import { readdir, readFile, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startVision, type Vision } from '../../src/local/vision/vision.ts'

const folder = new URL('../../samples/', import.meta.url)
const megabyte = 1_000_000

/** What is painted: the car's certainty must lie beyond 90 with room to spare, or far below 50. */
const painted: { file: string; car: boolean; texts: string[] }[] = [
  { file: '1.jpg', car: true, texts: ['CAR', 'WASH', 'YHI9OTZ'] },
  { file: '2.jpg', car: false, texts: [] },
  { file: '3.jpg', car: true, texts: ['BOOKS', 'K7LMN42'] },
  { file: '4.jpg', car: true, texts: [] },
  { file: '5.jpg', car: false, texts: ['BAKERY', 'OPEN', 'FRESH', 'BREAD'] },
  { file: '6.jpg', car: true, texts: ['CAFELUNA', 'TAXI', 'TX4812'] },
  { file: '7.jpg', car: false, texts: [] },
  { file: '8.jpg', car: true, texts: ['LU24680'] },
  { file: '9.jpg', car: false, texts: ['SUMMIT5KM', 'LAKE2KM', 'VILLAGE'] },
  { file: '10.jpg', car: true, texts: [] },
]

describe('the sample pictures', () => {
  let vision: Vision
  beforeAll(async () => {
    vision = await startVision({ threads: 1 })
  })
  afterAll(() => vision.close())

  it('are four with car and text, two with a car, two with text, two with neither', () => {
    const kinds = painted.map(
      ({ car, texts }) => `${car ? 'car' : 'no car'}, ${texts.length > 0 ? 'text' : 'no text'}`,
    )
    const counts = Object.groupBy(kinds, (kind) => kind)
    expect(counts['car, text']).toHaveLength(4)
    expect(counts['car, no text']).toHaveLength(2)
    expect(counts['no car, text']).toHaveLength(2)
    expect(counts['no car, no text']).toHaveLength(2)
  })

  it.each(painted)('$file shows what is painted on it', async ({ file, car, texts }) => {
    const picture = await readFile(new URL(file, folder))
    const cars = (await vision.objects(picture)).filter(({ name }) => name === 'Car')
    const certainty = Math.max(0, ...cars.map(({ confidence }) => confidence))
    if (car) expect(certainty).toBeGreaterThan(95)
    else expect(certainty).toBeLessThan(50)
    const read = (await vision.text(picture)).map(({ text }) => alike(text)).join(' ')
    for (const text of texts) expect(read).toContain(alike(text))
    if (texts.length === 0) expect(read).toBe('')
  })

  it('are small enough to be fetched with the source', async () => {
    expect(await sizeOf(folder)).toBeLessThan(3 * megabyte)
  })
})

/** On a plate O and 0, I and 1 are drawn alike, and spaces are a matter of taste. */
const alike = (text: string): string =>
  text
    .replaceAll(/[^A-Z0-9]/gi, '')
    .replaceAll('O', '0')
    .replaceAll('I', '1')

async function sizeOf(directory: URL): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(`${file.parentPath}/${file.name}`)).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
