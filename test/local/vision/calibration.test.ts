import { describe, expect, test } from 'vitest'
import { calibratedConfidence } from '../../../src/local/vision/calibration.ts'
import { vehicleParts } from '../../../src/local/vision/vehicle-parts.ts'

const square = (side: number) => ({ left: 0, top: 0, width: side, height: side })

describe('confidence', () => {
  test.each([
    ['a raw score of one half already means a large car', 'Car', 0.5, 0.5, 95, 99],
    ['a faint large one is undecided', 'Car', 0.1, 0.7, 70, 90],
    ['a small one needs a good score', 'Car', 0.5, 0.05, 40, 70],
    ['a speck is never sure', 'Car', 0.3, 0.01, 0, 15],
    ['other classes are not trusted as early', 'Dog', 0.3, 0.5, 40, 65],
    ['but are with a good score', 'Dog', 0.9, 0.5, 95, 100],
  ])('%s', (_, name, score, side, least, most) => {
    const confidence = calibratedConfidence(name, score, square(side))
    expect(confidence).toBeGreaterThanOrEqual(least)
    expect(confidence).toBeLessThanOrEqual(most)
  })

  test('rises with the score and with the size, and stays within 0 to 100', () => {
    const scores = [0, 0.01, 0.1, 0.5, 0.9, 0.99, 1].map((score) =>
      calibratedConfidence('Car', score, square(0.3)),
    )
    expect(scores).toEqual(scores.toSorted((a, b) => a - b))
    const sizes = [0, 0.01, 0.1, 0.5, 1].map((side) => calibratedConfidence('Car', 0.4, square(side)))
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
    expect(Math.min(...scores, ...sizes)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...scores, ...sizes)).toBeLessThanOrEqual(100)
  })
})

describe('parts searched for text at higher resolution', () => {
  const whole = { left: 0, top: 0, width: 1000, height: 500 }
  const seen = (name: string, confidence: number, left: number, width: number) => ({
    name,
    confidence,
    box: { left, top: 0.2, width, height: 0.4 },
  })

  test('at a vehicle, with a margin, in whole pixels', () => {
    expect(vehicleParts([seen('Truck', 90, 0.1, 0.2)], whole)).toEqual([
      { left: 90, top: 90, width: 220, height: 220 },
    ])
  })

  test('within the image', () => {
    expect(vehicleParts([seen('Car', 90, 0, 1)], whole)).toEqual([
      { left: 0, top: 90, width: 1000, height: 220 },
    ])
  })

  test.each([
    ['nothing that is no vehicle', [seen('Person', 99, 0, 0.5)], []],
    ['nothing that is unsure', [seen('Car', 69, 0, 0.5)], []],
    ['nothing too small to read in', [seen('Car', 99, 0, 0.02)], []],
    ['once at what is a car and a truck', [seen('Car', 99, 0.1, 0.2), seen('Truck', 90, 0.1, 0.2)], [220]],
    [
      'at the two largest',
      [seen('Car', 99, 0, 0.1), seen('Car', 90, 0.2, 0.2), seen('Bus', 90, 0.6, 0.3)],
      [330, 220],
    ],
  ])('%s', (_, objects, widths) => {
    expect(vehicleParts(objects, whole).map(({ width }) => width)).toEqual(widths)
  })
})
