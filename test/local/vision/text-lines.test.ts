import { describe, expect, test } from 'vitest'
import type { ReadCharacter } from '../../../src/local/vision/ctc.ts'
import type { Quad } from '../../../src/local/vision/quad.ts'
import { inReadingOrder } from '../../../src/local/vision/reading-order.ts'
import {
  passesThreshold,
  type ReadLine,
  removeDuplicates,
  toTextLine,
} from '../../../src/local/vision/text-lines.ts'
import { textRegions } from '../../../src/local/vision/text-regions.ts'

function quadOf(left: number, top: number, width: number, height: number): Quad {
  const [right, bottom] = [left + width, top + height]
  return [
    { x: left, y: top },
    { x: right, y: top },
    { x: right, y: bottom },
    { x: left, y: bottom },
  ]
}

/** Characters at equal distances. */
function read(text: string, probability = 0.9): ReadCharacter[] {
  return [...text].map((character, at) => ({ character, probability, at: (at + 0.5) / text.length }))
}

function line(text: string, probability: number, left = 0, width = 100): ReadLine {
  return { quad: quadOf(left, 0, width, 20), characters: read(text, probability) }
}

describe('words', () => {
  const { words, ...whole } = toTextLine(
    { quad: quadOf(100, 50, 200, 20), characters: read('ABC DEFG H') },
    400,
    100,
  )

  test('the line has its text, mean probability and position as fractions', () => {
    expect(whole.text).toBe('ABC DEFG H')
    expect(whole.confidence).toBeCloseTo(90)
    expect(whole.polygon[0]).toEqual({ x: 0.25, y: 0.5 })
    expect(whole.polygon[2]).toEqual({ x: 0.75, y: 0.7 })
  })

  test('each word has the position of its characters', () => {
    expect(words.map(({ text }) => text)).toEqual(['ABC', 'DEFG', 'H'])
    const extents = words.map(({ polygon }) =>
      [polygon[0]?.x ?? 0, polygon[1]?.x ?? 0].map((x) => Math.round(x * 400)),
    )
    expect(extents).toEqual([
      [100, 160],
      [180, 260],
      [280, 300],
    ])
  })
})

test.each([
  ['MIZ40', 0.9, true],
  ['É', 0.9, true],
  ['·', 0.99, false],
  ['- –', 0.99, false],
  ['', 0, false],
  ['ABC', 0.49, false],
])('%j read with %d is legible: %s', (text, probability, expected) => {
  expect(passesThreshold(line(text, probability))).toBe(expected)
})

test('the most confident reading of a position is kept', () => {
  const kept = removeDuplicates([
    line('A8C', 0.7),
    line('ABC', 0.9, 5),
    line('NEXT', 0.6, 110),
    line('BC', 0.8, 60, 40),
  ])
  expect(kept.map(({ characters }) => characters.map(({ character }) => character).join(''))).toEqual([
    'ABC',
    'NEXT',
  ])
})

test('a whole line is kept rather than a more confident fragment', () => {
  const kept = removeDuplicates([line('ABC123', 0.85), line('23', 0.99, 60, 40)])
  expect(kept.map(({ characters }) => characters.length)).toEqual([6])
})

test.each([
  ['from top to bottom', { a: [0, 50, 10], b: [0, 0, 10] }, ['b', 'a']],
  ['from left to right on one row', { a: [50, 1, 10], b: [0, 3, 10] }, ['b', 'a']],
  [
    'a tall one beside two rows belongs to the upper',
    { a: [50, 0, 30], b: [0, 2, 10], c: [0, 18, 10] },
    ['b', 'a', 'c'],
  ],
  ['rows that only touch are two', { a: [50, 0, 10], b: [0, 8, 10] }, ['a', 'b']],
])('reading order: %s', (_, places, expected) => {
  const boxes = new Map(
    Object.entries(places).map(([name, [left = 0, top = 0, height = 0]]) => [
      name,
      { left, top, width: 20, height },
    ]),
  )
  const none = { left: 0, top: 0, width: 0, height: 0 }
  expect(inReadingOrder([...boxes.keys()], (name) => boxes.get(name) ?? none)).toEqual(expected)
})

describe('regions of a map', () => {
  const [width, height] = [64, 32]

  function mapWith(
    probability: number,
    left: number,
    top: number,
    right: number,
    bottom: number,
  ): Float32Array {
    const map = new Float32Array(width * height)
    for (let y = top; y < bottom; y++) map.fill(probability, y * width + left, y * width + right)
    return map
  }

  test('a block becomes a quad, grown on every side alike', () => {
    const [quad, ...others] = textRegions(mapWith(0.9, 10, 10, 40, 16), width, height)
    const grown = (30 * 6 * 1.6) / (2 * (30 + 6))
    expect(others).toEqual([])
    expect(quad?.[0].x).toBeCloseTo(10 - grown)
    expect(quad?.[0].y).toBeCloseTo(10 - grown)
    expect(quad?.[2].x).toBeCloseTo(40 + grown)
    expect(quad?.[2].y).toBeCloseTo(16 + grown)
  })

  test.each([
    ['too faint', mapWith(0.29, 10, 10, 40, 16)],
    ['on the whole unsure', mapWith(0.45, 10, 10, 40, 16)],
    ['too thin', mapWith(0.9, 10, 10, 40, 12)],
    ['too small', mapWith(0.9, 10, 10, 13, 13)],
    ['empty', new Float32Array(width * height)],
  ])('%s is none', (_, map) => expect(textRegions(map, width, height)).toEqual([]))

  test('blocks at the edges are two, also where one row ends and the next begins', () => {
    const map = mapWith(0.9, 50, 4, 64, 10)
    for (let y = 5; y < 11; y++) map.fill(0.9, y * width, y * width + 14)
    expect(textRegions(map, width, height)).toHaveLength(2)
  })
})
