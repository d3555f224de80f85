import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Batcher, type BatcherOptions } from '../../src/flow/batcher.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** A batcher of numbers whose batches stay in flight until they are finished by the test. */
function record(options: Omit<BatcherOptions<number>, 'send'>) {
  const batches: number[][] = []
  const finish: (() => void)[] = []
  const batcher = new Batcher<number>({
    ...options,
    send(items) {
      batches.push(items)
      const { promise, resolve } = Promise.withResolvers<undefined>()
      finish.push(() => resolve(undefined))
      return promise
    },
  })
  const add = (...items: number[]) => Promise.all(items.map((item) => batcher.add(item)))
  const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  return { batches, finish, add, elapse }
}

describe('without lingering', () => {
  it('sends items at once, and those added together in one batch', async () => {
    const { batches, add, elapse } = record({ maxInFlight: 2 })
    void add(1, 2, 3)
    await elapse(0)
    void add(4)
    await elapse(0)
    expect(batches).toEqual([[1, 2, 3], [4]])
  })

  it('gathers what is added while all batches are in flight', async () => {
    const { batches, finish, add, elapse } = record({ maxInFlight: 1 })
    void add(1)
    await elapse(0)
    void add(2)
    await elapse(0)
    void add(3)
    await elapse(0)
    expect(batches).toEqual([[1]])
    finish[0]?.()
    await elapse(0)
    expect(batches).toEqual([[1], [2, 3]])
  })

  it('sends no more items than allowed in a batch, nor more batches at once', async () => {
    const { batches, finish, add, elapse } = record({ maxItems: 2, maxInFlight: 2 })
    void add(1, 2, 3, 4, 5)
    await elapse(0)
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ])
    finish[1]?.()
    await elapse(0)
    expect(batches[2]).toEqual([5])
  })
})

describe('with lingering', () => {
  const options = { maxItems: 3, maxInFlight: 1, lingerMs: 100 }

  it('waits for a full batch', async () => {
    const { batches, add, elapse } = record(options)
    void add(1)
    await elapse(50)
    void add(2)
    await elapse(49)
    expect(batches).toEqual([])
    void add(3)
    await elapse(0)
    expect(batches).toEqual([[1, 2, 3]])
  })

  it('sends a batch that is not full when its oldest item has waited long enough', async () => {
    const { batches, add, elapse } = record(options)
    void add(1)
    await elapse(99)
    void add(2)
    expect(batches).toEqual([])
    await elapse(1)
    expect(batches).toEqual([[1, 2]])
  })

  it('begins anew with the next item', async () => {
    const { batches, finish, add, elapse } = record(options)
    void add(1)
    await elapse(100)
    finish[0]?.()
    void add(2)
    await elapse(99)
    expect(batches).toEqual([[1]])
    await elapse(1)
    expect(batches).toEqual([[1], [2]])
  })

  it('goes on waiting when another batch returns meanwhile', async () => {
    const { batches, finish, add, elapse } = record(options)
    void add(1, 2, 3)
    await elapse(0)
    await elapse(100)
    void add(4)
    finish[0]?.()
    await elapse(99)
    expect(batches).toEqual([[1, 2, 3]])
    await elapse(1)
    expect(batches).toEqual([[1, 2, 3], [4]])
  })

  it('sends at once what has waited long enough while all batches were in flight', async () => {
    const { batches, finish, add, elapse } = record(options)
    void add(1, 2, 3)
    await elapse(0)
    void add(4)
    await elapse(150)
    finish[0]?.()
    await elapse(0)
    expect(batches).toEqual([[1, 2, 3], [4]])
  })
})

describe('the result of an item', () => {
  it('is that of its batch', async () => {
    const { finish, add, elapse } = record({ maxInFlight: 1 })
    const sent = add(1, 2)
    let isSent = false
    void sent.then(() => {
      isSent = true
    })
    await elapse(0)
    expect(isSent).toBe(false)
    finish[0]?.()
    await sent
  })

  it('is its own failure when the rest of the batch was sent', async () => {
    const batcher = new Batcher<string>({
      maxInFlight: 1,
      send: async () => new Map([[1, new Error('bad')]]),
    })
    const results = await Promise.allSettled(['a', 'b', 'c'].map((item) => batcher.add(item)))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('is the error of the batch, and the next batch is sent all the same', async () => {
    let sent = 0
    const batcher = new Batcher<string>({
      maxInFlight: 1,
      async send() {
        if (++sent === 1) throw new Error('unreachable')
        return undefined
      },
    })
    await expect(batcher.add('a')).rejects.toThrow('unreachable')
    await expect(batcher.add('b')).resolves.toBeUndefined()
  })
})
