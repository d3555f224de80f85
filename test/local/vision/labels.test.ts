import { expect, test } from 'vitest'
import { knownLabels, labelKind } from '../../../src/local/rekognition/taxonomy.ts'
import { className } from '../../../src/local/vision/coco-classes.ts'

const classes = Array.from({ length: 91 }, (_, classId) => className(classId)).filter(
  (name) => name !== undefined,
)

test('the model knows eighty classes by eighty names', () => {
  expect(new Set(classes).size).toBe(80)
  expect(className(0)).toBeUndefined()
})

test('every class and every ancestor is in the table', () => {
  const known = new Set(knownLabels())
  expect(classes.filter((name) => !known.has(name))).toEqual([])
  const ancestors = [...known].flatMap((name) => labelKind(name).parents)
  expect(ancestors.filter((name) => !known.has(name))).toEqual([])
})

test('the ancestors of a parent are ancestors of the child', () => {
  const lacking = knownLabels().flatMap((name) => {
    const { parents } = labelKind(name)
    const all = parents.flatMap((parent) => labelKind(parent).parents)
    return all.filter((ancestor) => !parents.includes(ancestor)).map((ancestor) => `${name}: ${ancestor}`)
  })
  expect(lacking).toEqual([])
})

test('a car is what Amazon says it is', () => {
  expect(labelKind('Car')).toEqual({
    parents: ['Vehicle', 'Transportation'],
    aliases: ['Automobile'],
    categories: ['Vehicles and Automotive'],
  })
})

test('of an unknown name nothing is invented', () => {
  expect(labelKind('Unicorn')).toEqual({ parents: [], aliases: [], categories: [] })
})
