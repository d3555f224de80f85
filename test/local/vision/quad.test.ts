import { describe, expect, test } from 'vitest'
import {
  corners,
  insetQuad,
  minAreaRect,
  type Quad,
  quadSize,
  rotateQuarter,
  shortSide,
  sliceQuad,
  unclip,
} from '../../../src/local/vision/quad.ts'
import type { Point } from '../../../src/local/vision/results.ts'

const points = (...flat: [number, number][]): Point[] => flat.map(([x, y]) => ({ x, y }))

/** A filled rectangle of 40 × 10, rotated about (100, 100). */
function turnedRectangle(degrees: number): Point[] {
  const angle = (degrees * Math.PI) / 180
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const result: Point[] = []
  for (let x = -20; x <= 20; x++) {
    for (let y = -5; y <= 5; y++) result.push({ x: 100 + x * cos - y * sin, y: 100 + x * sin + y * cos })
  }
  return result
}

function smallest(of: Point[]) {
  const rectangle = minAreaRect(of)
  if (rectangle === undefined) throw new Error('no rectangle')
  return rectangle
}

function expectQuad(quad: Quad, expected: [number, number][]): void {
  for (const [at, { x, y }] of quad.entries()) {
    expect(x).toBeCloseTo(expected[at]?.[0] ?? Number.NaN, 4)
    expect(y).toBeCloseTo(expected[at]?.[1] ?? Number.NaN, 4)
  }
}

describe('minimum-area rectangle', () => {
  test.each([0, 10, 30, 44, -10, -44])(
    'finds a rectangle turned by %d degrees and where its text begins',
    (degrees) => {
      const quad = corners(smallest(turnedRectangle(degrees)))
      const { width, height } = quadSize(quad)
      expect(width).toBeCloseTo(40, 4)
      expect(height).toBeCloseTo(10, 4)
      const [from, to] = quad
      expect((Math.atan2(to.y - from.y, to.x - from.x) * 180) / Math.PI).toBeCloseTo(degrees, 4)
    },
  )

  test('an axis-aligned rectangle has its corners clockwise from the top left', () => {
    expectQuad(corners(smallest(points([0, 0], [4, 0], [4, 2], [0, 2], [1, 1]))), [
      [0, 0],
      [4, 0],
      [4, 2],
      [0, 2],
    ])
  })

  test('the area is minimal, not that of the bounding box', () => {
    const diamond = corners(smallest(points([0, 1], [1, 0], [2, 1], [1, 2])))
    expect(quadSize(diamond).width).toBeCloseTo(Math.SQRT2)
  })

  test.each([
    ['no point', []],
    ['one point', points([1, 1])],
    ['points on a line', points([0, 0], [1, 1], [2, 2])],
  ])('%s has none', (_, of) => expect(minAreaRect(of)).toBeUndefined())
})

test('unclip grows by area × ratio ÷ perimeter on every side', () => {
  const grown = unclip(smallest(turnedRectangle(20)), 2)
  expect(shortSide(grown)).toBeCloseTo(10 + 2 * ((400 * 2) / 100), 4)
})

describe('parts of a quad', () => {
  const quad: Quad = [
    { x: 0, y: 0 },
    { x: 10, y: 0 },
    { x: 10, y: 4 },
    { x: 0, y: 4 },
  ]

  test('a slice in reading direction', () => {
    expectQuad(sliceQuad(quad, 0.2, 0.5), [
      [2, 0],
      [5, 0],
      [5, 4],
      [2, 4],
    ])
  })

  test('an inset moves every side by the same distance', () => {
    expectQuad(insetQuad(quad, 0.25), [
      [1, 1],
      [9, 1],
      [9, 3],
      [1, 3],
    ])
  })

  test('rotating by 90° starts the text at the next corner', () => {
    expectQuad(rotateQuarter(quad), [
      [10, 0],
      [10, 4],
      [0, 4],
      [0, 0],
    ])
  })
})
