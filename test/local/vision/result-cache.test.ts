import { expect, test } from 'vitest'
import { ResultCache } from '../../../src/local/vision/result-cache.ts'

const image = (byte: number) => Uint8Array.of(byte)

/** Counts how often a result was computed. */
function counting(capacity: number) {
  const cache = new ResultCache<number>(capacity)
  let computed = 0
  const get = (byte: number, kind = 'objects') => cache.get(kind, image(byte), async () => ++computed)
  return { get, cache }
}

test('the same bytes are processed once, even concurrently', async () => {
  const { get } = counting(2)
  expect(await Promise.all([get(1), get(1)])).toEqual([1, 1])
  expect(await get(1)).toBe(1)
})

test('another operation on the same bytes is a separate entry', async () => {
  const { get } = counting(2)
  expect([await get(1, 'objects'), await get(1, 'text')]).toEqual([1, 2])
})

test('the least recently used entry is evicted first', async () => {
  const { get } = counting(2)
  await get(1)
  await get(2)
  await get(1)
  await get(3)
  expect(await get(1)).toBe(1)
  expect(await get(2)).toBe(4)
})

test('a failure is not cached', async () => {
  const { get, cache } = counting(2)
  await expect(cache.get('objects', image(1), () => Promise.reject(new Error('broken')))).rejects.toThrow(
    'broken',
  )
  expect(await get(1)).toBe(1)
})

test('capacity 0 disables the cache', async () => {
  const { get } = counting(0)
  expect([await get(1), await get(1)]).toEqual([1, 2])
})
