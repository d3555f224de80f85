import { expect, test } from 'vitest'
import { decodeCtc } from '../../../src/local/vision/ctc.ts'

const CHARACTERS = new Map([
  [1, 'A'],
  [2, 'B'],
  [4, ' '],
])
const CLASSES = 5

/** Steps of which one class is likely. */
function output(...likely: [classId: number, probability: number][]): Float32Array {
  const probabilities = new Float32Array(likely.length * CLASSES)
  for (const [step, [classId, probability]] of likely.entries())
    probabilities[step * CLASSES + classId] = probability
  return probabilities
}

test.each<[string, [number, number][], string]>([
  ['nothing but blanks', [[0, 1]], ''],
  [
    'repetitions count once',
    [
      [1, 0.9],
      [1, 0.8],
      [2, 0.7],
    ],
    'AB',
  ],
  [
    'a blank separates a double letter',
    [
      [1, 0.9],
      [0, 1],
      [1, 0.8],
    ],
    'AA',
  ],
  [
    'spaces are read',
    [
      [1, 1],
      [4, 1],
      [2, 1],
    ],
    'A B',
  ],
  [
    'classes without a character are as if they were not there',
    [
      [1, 1],
      [3, 1],
      [2, 1],
    ],
    'AB',
  ],
])('%s', (_, likely, text) => {
  const read = decodeCtc(output(...likely), likely.length, CLASSES, CHARACTERS)
  expect(read.map(({ character }) => character).join('')).toBe(text)
})

test('a character has the probability and the place of its first step', () => {
  const read = decodeCtc(output([0, 1], [1, 0.5], [1, 0.75], [2, 1]), 4, CLASSES, CHARACTERS)
  expect(read).toEqual([
    { character: 'A', probability: 0.5, at: 0.375 },
    { character: 'B', probability: 1, at: 0.875 },
  ])
})
