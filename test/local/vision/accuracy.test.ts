import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startVision, type Vision } from '../../../src/local/vision/vision.ts'

/**
 * Accuracy of the recognition on a set of labelled photos that are not part of the project: skipped unless they are in
 * ../shared/photos, next to the checkout.
 */
const PHOTOS = fileURLToPath(new URL('../../../../shared/photos/', import.meta.url))
const present = existsSync(`${PHOTOS}labels.tsv`)
if (!present) console.log(`No labelled photos in ${PHOTOS}: how accurate the recognition is was not tested.`)

interface Photo {
  file: string
  label: string
  plates: string[]
}

let vision: Vision
let photos: Photo[]

describe.skipIf(!present)('on labelled photos', () => {
  beforeAll(async () => {
    vision = await startVision()
    const rows = (await readFile(`${PHOTOS}labels.tsv`, 'utf8')).trim().split('\n').slice(1)
    photos = rows.map((row) => {
      const [file = '', label = '', plates = ''] = row.split('\t')
      return { file, label, plates: plates.split(/[ ,;|]+/).filter((plate) => plate !== '') }
    })
  })

  afterAll(() => vision.close())

  test('"Car > 90" is right in 97 of 100 cases and finds 90 of 100 cars', { timeout: 300_000 }, async () => {
    const judged = await Promise.all(photos.map(async (photo) => ({ photo, said: await saysCar(photo) })))
    const right = judged.filter(({ photo, said }) => said && photo.label === 'car').length
    const precision = right / judged.filter(({ said }) => said).length
    const recall = right / photos.filter(({ label }) => label === 'car').length
    console.log(
      `Car > 90: precision ${percent(precision)}, recall ${percent(recall)} of ${photos.length} photos`,
    )
    expect(precision).toBeGreaterThanOrEqual(0.97)
    expect(recall).toBeGreaterThanOrEqual(0.9)
  })

  // Text takes a second per photo: every third is enough to detect a regression.
  test('plates are read, O like 0 and I like 1', { timeout: 300_000 }, async () => {
    const sample = photos.filter(({ plates }) => plates.length > 0).filter((_, at) => at % 3 === 0)
    const outcomes = (await Promise.all(sample.map(platesRead))).flat()
    const share = outcomes.filter((read) => read).length / outcomes.length
    console.log(`Plates: ${percent(share)} of ${outcomes.length} read`)
    expect(outcomes.length).toBeGreaterThan(20)
    expect(share).toBeGreaterThanOrEqual(0.8)
  })
})

async function saysCar({ file }: Photo): Promise<boolean> {
  const objects = await vision.objects(await readFile(`${PHOTOS}${file}`))
  return objects.some(({ name, confidence }) => name === 'Car' && confidence > 90)
}

async function platesRead({ file, plates }: Photo): Promise<boolean[]> {
  const lines = await vision.text(await readFile(`${PHOTOS}${file}`))
  const read = [...lines.map(({ text }) => fold(text)), fold(lines.map(({ text }) => text).join(''))]
  return plates.map((plate) => read.some((text) => text.includes(fold(plate))))
}

/** Letters and digits only; some labels have O for zero. */
function fold(text: string): string {
  const plain = text.toUpperCase().replace(/[^\p{L}\p{N}]/gu, '')
  return plain.replaceAll('O', '0').replaceAll('I', '1')
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}
