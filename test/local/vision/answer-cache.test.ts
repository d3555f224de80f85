import { expect, test } from 'vitest'
import { AnswerCache } from '../../../src/local/vision/answer-cache.ts'

const picture = (byte: number) => Uint8Array.of(byte)

/** Counts how often an answer had to be worked out. */
function counting(capacity: number) {
  const cache = new AnswerCache<number>(capacity)
  let computed = 0
  const ask = (byte: number, kind = 'objects') => cache.answer(kind, picture(byte), async () => ++computed)
  return { ask, cache }
}

test('the same bytes are looked at once, also while the first look goes on', async () => {
  const { ask } = counting(2)
  expect(await Promise.all([ask(1), ask(1)])).toEqual([1, 1])
  expect(await ask(1)).toBe(1)
})

test('another question about the same bytes is another question', async () => {
  const { ask } = counting(2)
  expect([await ask(1, 'objects'), await ask(1, 'text')]).toEqual([1, 2])
})

test('what was not asked for the longest is forgotten first', async () => {
  const { ask } = counting(2)
  await ask(1)
  await ask(2)
  await ask(1)
  await ask(3)
  expect(await ask(1)).toBe(1)
  expect(await ask(2)).toBe(4)
})

test('a failure is not remembered', async () => {
  const { ask, cache } = counting(2)
  await expect(
    cache.answer('objects', picture(1), () => Promise.reject(new Error('broken'))),
  ).rejects.toThrow('broken')
  expect(await ask(1)).toBe(1)
})

test('capacity 0 remembers nothing', async () => {
  const { ask } = counting(0)
  expect([await ask(1), await ask(1)]).toEqual([1, 2])
})
