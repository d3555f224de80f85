import { expect, test } from 'vitest'
import { decide } from '../../src/detector/verdict.ts'

const box = [0, 0, 1, 1] as const
const label = (name: string, confidence: number) => ({ name, confidence, boxes: [box] })

test.each([
  ['a car above the threshold', [label('Car', 90.1)], 'car'],
  ['exactly the threshold', [label('Car', 90)], 'none'],
  ['the next number above it', [label('Car', 90.00000000000001)], 'car'],
  ['below it', [label('Car', 89.99)], 'none'],
  ['no labels at all', [], 'none'],
  ['another label', [label('Truck', 99), label('Vehicle', 99)], 'none'],
  ['the name in small letters', [label('car', 99)], 'none'],
  ['a name that only contains it', [label('Car Wheel', 99), label('Sports Car', 99)], 'none'],
  ['a car among others', [label('Person', 99), label('Car', 95)], 'car'],
])('%s', (_, findings, verdict) => expect(decide(findings, 'Car', 90).verdict).toBe(verdict))

test('of several findings of the label the surest counts, with its boxes', () => {
  const findings = [label('Car', 91), { name: 'Car', confidence: 97, boxes: [] }]
  expect(decide(findings, 'Car', 90)).toEqual({ verdict: 'car', confidence: 97, boxes: [] })
})

test('the threshold may be 0 and 100', () => {
  expect(decide([label('Car', 0)], 'Car', 0).verdict).toBe('none')
  expect(decide([label('Car', 100)], 'Car', 100).verdict).toBe('none')
})
