import type { Fault, FaultRule } from '../support/fault-proxy.ts'
import { Random } from '../support/random.ts'
import { type Sight, simulatedImage } from '../support/simulated-vision.ts'

/** What is done to a worker once it has made so many more requests. */
export interface Act {
  readonly kind: 'kill' | 'stop' | 'pause'
  readonly afterRequests: number
  /** of a pause, in milliseconds: longer than the visibility timeout */
  readonly milliseconds: number
}

export interface PlannedImage {
  readonly key: string
  readonly bytes: Uint8Array
  /** undefined for bytes that are not an image */
  readonly sight: Sight | undefined
}

/** One run of the chaos suite, made by its seed alone. */
export interface Plan {
  readonly seed: number
  readonly images: readonly PlannedImage[]
  readonly isFifo: boolean
  readonly maxRequestsPerSecond: number
  /** of one look at an image, milliseconds */
  readonly mostLatency: number
  readonly faults: readonly FaultRule[]
  readonly detectorActs: readonly Act[]
  readonly readerActs: readonly Act[]
  readonly readerStartsFirst: boolean
}

export const visibilitySeconds = 2

export function planOf(seed: number): Plan {
  const random = new Random('plan', seed)
  const images = imagesOf(random, random.between(15, 60))
  const [isFifo, readerStartsFirst] = [random.chance(0.2), random.chance(0.5)]
  return {
    seed,
    images,
    isFifo,
    readerStartsFirst,
    maxRequestsPerSecond: random.pick([0, 20, 80]),
    mostLatency: random.pick([0, 20, 100]),
    faults: random.pick([calm, disorder, badNetwork, everything])(random),
    detectorActs: actsOf(random, images.length),
    readerActs: actsOf(random, images.length),
  }
}

/** Two in three show a car, sure or not quite; some nothing; some are not images at all. */
export function imagesOf(random: Random, count: number): PlannedImage[] {
  return Array.from({ length: count }, (_, place) => {
    const key = `${random.pick(['', '', 'street/', 'ü '])}${place + 1}.${random.pick(['jpg', 'JPEG', 'png'])}`
    if (random.chance(0.04)) return { key, bytes: Buffer.from(`not an image ${place}`), sight: undefined }
    const sight = { id: key, objects: objectsOf(random), lines: linesOf(random) }
    return { key, bytes: simulatedImage(sight), sight }
  })
}

function objectsOf(random: Random): Sight['objects'] {
  const person = { name: 'Person', confidence: 99 }
  if (random.chance(1 / 3)) return [person]
  return [{ name: 'Car', confidence: random.pick([99.5, 95, 90.01, 90, 60]) }, person]
}

function linesOf(random: Random): string[] {
  return Array.from({ length: random.pick([0, 1, 1, 2]) }, () => `N${random.between(100, 999)} XY`)
}

function actsOf(random: Random, images: number): Act[] {
  return Array.from({ length: random.between(0, 4) }, () => ({
    kind: random.pick(['kill', 'kill', 'kill', 'stop', 'pause']),
    afterRequests: random.between(1, images),
    milliseconds: (visibilitySeconds + 1) * 1000,
  }))
}

const sends = ['SendMessage', 'SendMessageBatch']
const deletes = ['DeleteMessage', 'DeleteMessageBatch']

function calm(): FaultRule[] {
  return []
}

/** Messages come late, in any order, twice, and again after they were deleted. */
export function disorder(): FaultRule[] {
  return [
    { operations: sends, share: 0.6, fault: { kind: 'hold back', mostSeconds: 2 } },
    { operations: sends, share: 0.3, fault: { kind: 'repeat' } },
    { operations: deletes, share: 0.2, fault: { kind: 'pretend' } },
  ]
}

/** About every tenth request fails, but for those that wait for their answer for ever: they are rare. */
export function badNetwork(random: Random): FaultRule[] {
  const rule = (share: number, fault: Fault): FaultRule => ({ share, fault })
  return [
    rule(0.3, { kind: 'delay', mostMilliseconds: 100 }),
    rule(0.03, { kind: 'refuse', refusal: 'broken' }),
    rule(0.02, { kind: 'refuse', refusal: 'throttled' }),
    rule(0.01, { kind: 'refuse', refusal: 'unavailable' }),
    rule(0.01, { kind: 'reset', when: 'before' }),
    rule(0.01, { kind: 'reset', when: 'after' }),
    rule(0.01, { kind: 'cut' }),
    rule(random.chance(0.1) ? 0.003 : 0, { kind: 'stall' }),
  ]
}

function everything(random: Random): FaultRule[] {
  return [...disorder(), ...badNetwork(random)]
}

/**
 * A longer run as somebody from outside would put it together: 400 images, ten kills, repeats, disorder, 3 % of
 * all requests answered by 5xx, 1 % reset, and a quota of 80 calls a second.
 */
export function independentPlan(seed: number): Plan {
  const random = new Random('independent', seed)
  const kills = () =>
    Array.from({ length: 5 }, () => ({
      kind: 'kill' as const,
      afterRequests: random.between(20, 120),
      milliseconds: 0,
    }))
  return {
    seed,
    images: imagesOf(random, 400),
    isFifo: false,
    readerStartsFirst: random.chance(0.5),
    maxRequestsPerSecond: 80,
    mostLatency: 40,
    faults: [
      ...disorder(),
      { share: 0.03, fault: { kind: 'refuse', refusal: 'broken' } },
      { share: 0.005, fault: { kind: 'reset', when: 'before' } },
      { share: 0.005, fault: { kind: 'reset', when: 'after' } },
    ],
    detectorActs: kills(),
    readerActs: kills(),
  }
}
