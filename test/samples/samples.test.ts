import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startVision, type Vision } from '../../src/local/vision/vision.ts'

const directory = new URL('../../samples/', import.meta.url)
const megabyte = 1_000_000

/** SHA-256; see tools/samples for the generator. */
const checksums: Record<string, string> = {
  '1.jpg': '18225da69e7c70451ecad1f1104e75efa18516a3534e8c93d454988e73fe6753',
  '2.jpg': '9953b05fb247d7845df3219d300002c1411fb06ab161d7f008e19f9a73990b66',
  '3.jpg': '330c42ba4ebaa5ff906c3dbcf5a08b59087cd85317721bdb0540a77b35d30471',
  '4.jpg': 'ed7e1e3be13ae581e2da66aafc0d0bb10bc7c39b7b7422444581759093bd9a44',
  '5.jpg': '4dabaaea8965ae61d34c7262ef455f17796f747c245b509f52e74cbfbdd6c665',
  '6.jpg': '74d495d3339a3ae166c2dcdb4e8d71e71cd8760aa26e9aa21d1271f195acf5e2',
  '7.jpg': 'a6ff274e563dec382a3afb1984c0f8579f130ed957566041b5df020985f7376b',
  '8.jpg': 'd8914f2ce6a2e62821a4428896735845717c1874080f842cf201eeca4bb923ad',
  '9.jpg': '646dcfd56e28bb2c9866f2c23282c0fe63b71b5ae1a2036ec0397b3ef78e0793',
  '10.jpg': 'c35b333e3bf831f8b193dbbb78be9706d1af3b055e8cb88fa8ebf9a1e029b540',
}

/** What is depicted: the confidence of a car must be well above 90, or far below 50. */
const depicted: { file: string; car: boolean; texts: string[] }[] = [
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

describe('the sample images', () => {
  let vision: Vision
  beforeAll(async () => {
    vision = await startVision({ threads: 1 })
  })
  afterAll(() => vision.close())

  it('are four with car and text, two with a car, two with text, two with neither', () => {
    const kinds = depicted.map(
      ({ car, texts }) => `${car ? 'car' : 'no car'}, ${texts.length > 0 ? 'text' : 'no text'}`,
    )
    const counts = Object.groupBy(kinds, (kind) => kind)
    expect(counts['car, text']).toHaveLength(4)
    expect(counts['car, no text']).toHaveLength(2)
    expect(counts['no car, text']).toHaveLength(2)
    expect(counts['no car, no text']).toHaveLength(2)
  })

  it.each(depicted)('$file is recognized as depicted', async ({ file, car, texts }) => {
    const image = await readFile(new URL(file, directory))
    const cars = (await vision.objects(image)).filter(({ name }) => name === 'Car')
    const confidence = Math.max(0, ...cars.map(({ confidence }) => confidence))
    if (car) expect(confidence).toBeGreaterThan(95)
    else expect(confidence).toBeLessThan(50)
    const read = (await vision.text(image)).map(({ text }) => alike(text)).join(' ')
    for (const text of texts) expect(read).toContain(alike(text))
    if (texts.length === 0) expect(read).toBe('')
  })

  it('are the original files, and nothing else is beside them', async () => {
    const files = (await readdir(directory)).filter((name) => name !== 'README.md')
    const found = await Promise.all(
      files.map(async (name) => {
        const bytes = await readFile(new URL(name, directory))
        return [name, createHash('sha256').update(bytes).digest('hex')]
      }),
    )
    expect(Object.fromEntries(found)).toEqual(checksums)
  })

  it('are small enough to be fetched with the source', async () => {
    expect(await sizeOf(directory)).toBeLessThan(3 * megabyte)
  })
})

/** Plates draw O like 0 and I like 1; spaces do not matter. */
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
