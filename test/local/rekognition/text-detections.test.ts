import { describe, expect, it } from 'vitest'
import { detectionsOf } from '../../../src/local/rekognition/text-detections.ts'
import { line, word } from '../cloud.ts'

const all = () => true
const sign = line(90, word('GARDEN', 95, { left: 0.1 }), word('STATE', 85, { left: 0.4 }))
const plate = line(99, word('YHI9', 99, { top: 0.5 }))

describe('detectionsOf', () => {
  it('returns all lines first, then all words, with Ids and ParentIds', () => {
    const found = detectionsOf([sign, plate], all)
    expect(found.map(({ Id, Type, ParentId, DetectedText }) => [Id, Type, ParentId, DetectedText])).toEqual([
      [0, 'LINE', undefined, 'GARDEN STATE'],
      [1, 'LINE', undefined, 'YHI9'],
      [2, 'WORD', 0, 'GARDEN'],
      [3, 'WORD', 0, 'STATE'],
      [4, 'WORD', 1, 'YHI9'],
    ])
  })

  it('returns the polygon and its bounding box', () => {
    const slanted = [
      { x: 0.2, y: 0.1 },
      { x: 0.6, y: 0.3 },
      { x: 0.5, y: 0.5 },
      { x: 0.1, y: 0.3 },
    ]
    const [found] = detectionsOf([{ ...plate, polygon: slanted }], all)
    expect(found?.Geometry?.Polygon).toEqual(slanted.map(({ x, y }) => ({ X: x, Y: y })))
    expect(found?.Geometry?.BoundingBox).toEqual({ Left: 0.1, Top: 0.1, Width: 0.5, Height: 0.4 })
  })

  it('reduces a line to its remaining words, and omits it without any', () => {
    const found = detectionsOf([sign, plate], ({ text }) => text === 'STATE')
    expect(found.map(({ Type, DetectedText, Confidence }) => [Type, DetectedText, Confidence])).toEqual([
      ['LINE', 'STATE', 85],
      ['WORD', 'STATE', 85],
    ])
    expect(found[0]?.Geometry?.BoundingBox?.Left).toBeCloseTo(0.4)
  })

  it('returns at most a hundred words, and no line beyond them', () => {
    const lines = Array.from({ length: 60 }, (_, at) => line(90, word(`a${at}`, 90), word(`b${at}`, 90)))
    const found = detectionsOf([...lines.slice(0, 49), plate, ...lines.slice(49)], all)
    expect(found.filter(({ Type }) => Type === 'WORD')).toHaveLength(100)
    expect(found.filter(({ Type }) => Type === 'LINE')).toHaveLength(51)
    expect(found.findLast(({ Type }) => Type === 'LINE')?.DetectedText).toBe('a49')
  })
})
