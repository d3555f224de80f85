import { simulatedImage } from '../support/simulated-vision.ts'
import type { TestCloud } from '../support/test-cloud.ts'

export interface Described {
  readonly key: string
  /** confidence of the label Car; undefined = no such label */
  readonly car?: number
  readonly lines?: readonly string[]
}

/** Puts simulated images into the cloud's bucket. */
export async function putImages(cloud: TestCloud, images: readonly Described[]): Promise<void> {
  const waiting = [...images]
  const putSome = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await cloud.put(next.key, bytesOf(next))
  }
  await Promise.all(Array.from({ length: 16 }, putSome))
}

export function bytesOf({ key, car, lines = [] }: Described): Uint8Array {
  const objects =
    car === undefined ? [{ name: 'Person', confidence: 99 }] : [{ name: 'Car', confidence: car }]
  return simulatedImage({ id: key, objects, lines })
}

/** Numbered images: two in three have a car, three in four text. */
export function numbered(count: number, prefix = ''): Described[] {
  return Array.from({ length: count }, (_, place) => {
    const n = place + 1
    const lines = n % 4 === 0 ? [] : [`AB ${n}`, ...(n % 5 === 0 ? ['TAXI'] : [])]
    return { key: `${prefix}${n}.jpg`, lines, ...(n % 3 !== 0 && { car: 99 }) }
  })
}

/** results.txt as it must be for images given in natural order of their keys. */
export function expectedResults(images: readonly Described[]): string {
  return images
    .filter(({ car = 0, lines = [] }) => car > 90 && lines.length > 0)
    .map(({ key, lines = [] }) => `${key}: ${lines.join(' | ')}\n`)
    .join('')
}
