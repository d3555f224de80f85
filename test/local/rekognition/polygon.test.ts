import { describe, expect, it } from 'vitest'
import { area, boundingBox, clip } from '../../../src/local/rekognition/polygon.ts'

type Corners = [number, number][]

function polygon(corners: Corners) {
  return corners.map(([x, y]) => ({ x, y }))
}

const unit: Corners = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
]
const diamond: Corners = [
  [0.5, 0],
  [1, 0.5],
  [0.5, 1],
  [0, 0.5],
]
const letterU: Corners = [
  [0, 0],
  [0.2, 0],
  [0.2, 0.8],
  [0.8, 0.8],
  [0.8, 0],
  [1, 0],
  [1, 1],
  [0, 1],
]

describe('area', () => {
  it.each<[Corners, number]>([
    [unit, 1],
    [diamond, 0.5],
    [letterU, 0.52],
    [[], 0],
    [unit.slice(0, 2), 0],
  ])('of %j is %d, in either direction', (corners, expected) => {
    expect(area(polygon(corners))).toBeCloseTo(expected)
    expect(area(polygon(corners.toReversed()))).toBeCloseTo(expected)
  })
})

describe('clip', () => {
  const moved = (corners: Corners, x: number, y: number) =>
    corners.map(([a, b]): [number, number] => [a + x, b + y])
  it.each<[string, Corners, Corners, number]>([
    ['all of it', unit, unit, 1],
    ['a quarter', unit, moved(unit, 0.5, 0.5), 0.25],
    ['nothing', unit, moved(unit, 2, 0), 0],
    ['the smaller one within', unit, diamond, 0.5],
    ['by slanted edges', unit, moved(diamond, 0.5, 0), 0.25],
    ['two separate parts', letterU, moved(unit, 0, -0.5), 0.2],
  ])('leaves %s, whatever the directions', (_name, subject, convex, expected) => {
    for (const each of [subject, subject.toReversed()]) {
      for (const by of [convex, convex.toReversed()]) {
        expect(area(clip(polygon(each), polygon(by)))).toBeCloseTo(expected)
      }
    }
  })
})

describe('boundingBox', () => {
  it('holds all corners', () => {
    expect(boundingBox(polygon(diamond))).toEqual({ left: 0, top: 0, width: 1, height: 1 })
  })
})
