import { describe, expect, test } from 'vitest'
import { decodeBox, intersectionOverUnion, nonMaxSuppression } from '../../../src/local/vision/boxes.ts'

describe('decoding', () => {
  const anchors = Float32Array.of(0, 0, 1, 1, 0.2, 0.4, 0.6, 0.6)

  test.each([
    ['no shift gives the anchor', [0, 0, 0, 0], { left: 0.4, top: 0.2, width: 0.2, height: 0.4 }],
    ['shifts are tenths of the anchor', [1, 0, 0, 0], { left: 0.4, top: 0.24, width: 0.2, height: 0.4 }],
    ['and go to the right', [0, -1, 0, 0], { left: 0.38, top: 0.2, width: 0.2, height: 0.4 }],
    [
      'stretches are exponents of fifths, about the centre',
      [0, 0, 0, 5 * Math.log(2)],
      { left: 0.3, top: 0.2, width: 0.4, height: 0.4 },
    ],
    ['a box ends at the edge', [10, 0, 0, 0], { left: 0.4, top: 0.6, width: 0.2, height: 0.4 }],
    ['and is never negative', [100, 0, 0, 0], { left: 0.4, top: 1, width: 0.2, height: 0 }],
  ])('%s', (_, encoding, expected) => {
    const box = decodeBox(Float32Array.of(0, 0, 0, 0, ...encoding), anchors, 1)
    for (const side of ['left', 'top', 'width', 'height'] as const)
      expect(box[side]).toBeCloseTo(expected[side], 5)
  })
})

describe('suppression', () => {
  const box = (left: number, width = 0.2) => ({ left, top: 0, width, height: 1 })

  test.each([
    ['the same box', [0.9, 0.8], [0, 0], [0.9]],
    ['boxes that hardly touch', [0.8, 0.9], [0, 0.15], [0.9, 0.8]],
    ['the best of three stays', [0.5, 0.9, 0.7], [0.01, 0, 0.02], [0.9]],
    ['a suppressed box suppresses none', [0.9, 0.8, 0.7], [0, 0.06, 0.12], [0.9, 0.7]],
    ['nothing', [], [], []],
  ])('%s', (_, scores, lefts, kept) => {
    const found = scores.map((score, at) => ({ score, box: box(lefts[at] ?? 0) }))
    expect(nonMaxSuppression(found, 0.5).map(({ score }) => score)).toEqual(kept)
  })

  test('the overlap is IoU', () => {
    expect(intersectionOverUnion(box(0), box(0.1))).toBeCloseTo(1 / 3)
    expect(intersectionOverUnion(box(0), box(0.2))).toBe(0)
    expect(intersectionOverUnion(box(0, 0), box(0, 0))).toBe(0)
  })
})
