import { describe, expect, it } from 'vitest'
import { RequestShape } from '../../../src/local/rekognition/request-shape.ts'
import { passesWordFilters, readTextFilters } from '../../../src/local/rekognition/text-filters.ts'
import { word } from '../cloud.ts'

const left = word('left', 90, { left: 0.1, top: 0.4, width: 0.2, height: 0.1 })
const right = word('right', 60, { left: 0.7, top: 0.4, width: 0.2, height: 0.05 })

function kept(filters: object): string[] {
  const read = readTextFilters(new RequestShape(), { Filters: filters })
  return [left, right].filter((each) => passesWordFilters(each, read)).map(({ text }) => text)
}

const box = (Left: number, Top: number, Width: number, Height: number) => ({
  BoundingBox: { Left, Top, Width, Height },
})
const polygon = (...corners: [number, number][]) => ({ Polygon: corners.map(([X, Y]) => ({ X, Y })) })

describe('WordFilter', () => {
  it.each([
    [{}, ['left', 'right']],
    [{ MinConfidence: 60 }, ['left', 'right']],
    [{ MinConfidence: 60.5 }, ['left']],
    [{ MinBoundingBoxHeight: 0.06 }, ['left']],
    [{ MinBoundingBoxHeight: 0.04 }, ['left', 'right']],
    [{ MinBoundingBoxWidth: 0.21 }, []],
    [{ MinConfidence: 50, MinBoundingBoxWidth: 0.19, MinBoundingBoxHeight: 0.06 }, ['left']],
  ])('%j keeps %j', (WordFilter, expected) => {
    expect(kept({ WordFilter })).toEqual(expected)
  })
})

describe('RegionsOfInterest', () => {
  const triangle = polygon([0, 0.3], [0.4, 0.45], [0, 0.6])
  const hook = polygon([0, 0], [1, 0], [1, 1], [0.65, 1], [0.65, 0.2], [0, 0.2])
  it.each([
    ['none', [], ['left', 'right']],
    ['the whole image', [box(0, 0, 1, 1)], ['left', 'right']],
    ['one half of it', [box(0, 0, 0.5, 1)], ['left']],
    ['more than half of the word', [box(0, 0, 0.21, 1)], ['left']],
    ['less than half of the word', [box(0, 0, 0.19, 1)], []],
    ['any of several', [box(0, 0, 0.5, 1), box(0.5, 0, 0.5, 1)], ['left', 'right']],
    [
      'nearly halves in two regions are not more than half in one',
      [box(0, 0, 0.19, 1), box(0.21, 0, 0.2, 1)],
      [],
    ],
    ['a polygon', [triangle], ['left']],
    ['a polygon the other way round', [{ Polygon: triangle.Polygon.toReversed() }], ['left']],
    ['a polygon with an inner corner', [hook], ['right']],
  ])('%s', (_name, RegionsOfInterest, expected) => {
    expect(kept({ RegionsOfInterest })).toEqual(expected)
  })
})
