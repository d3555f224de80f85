import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TaskPool } from '../../src/flow/task-pool.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** A pool whose tasks run until the test ends them; a task's own part can wait outside its slot. */
function create(limit: number | (() => number)) {
  const pool = new TaskPool(typeof limit === 'number' ? () => limit : limit)
  const start = () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    pool.start(() => promise)
    return { end: resolve, fail: reject }
  }
  const startWaiting = () => {
    const wait = Promise.withResolvers<string>()
    const rest = Promise.withResolvers<void>()
    const results: unknown[] = []
    pool.start(async () => {
      results.push(await pool.outsideSlot(() => wait.promise).catch((error: unknown) => error))
      await rest.promise
    })
    return { results, wait, rest }
  }
  return { pool, start, startWaiting }
}

/** What a promise has come to without time passing. */
async function settled<T>(promise: Promise<T>): Promise<T | 'pending'> {
  const result = Promise.race([
    promise,
    new Promise<'pending'>((resolve) => setTimeout(resolve, 0, 'pending')),
  ])
  await elapse(0)
  return result
}

describe('slots', () => {
  it('are taken by tasks and freed when they end', async () => {
    const { pool, start } = create(2)
    const first = start()
    expect(pool.availableSlots).toBe(1)
    start()
    expect(pool.availableSlots).toBe(0)
    expect(await settled(pool.waitForSlot(60_000))).toBe('pending')
    first.end()
    expect(await settled(pool.waitForSlot(60_000))).toBe(true)
    expect(pool.size).toBe(1)
  })

  it('follow the limit as it changes', async () => {
    let limit = 1
    const { pool, start } = create(() => limit)
    const task = start()
    limit = 3
    expect(await settled(pool.waitForSlot(0))).toBe(true)
    expect(pool.availableSlots).toBe(2)
    limit = 0
    task.end()
    expect(await settled(pool.waitForSlot(60_000))).toBe('pending')
  })

  it('are waited for, but not for ever', async () => {
    const { pool, start } = create(1)
    start()
    const waiting = pool.waitForSlot(10_000)
    await elapse(9_999)
    expect(await settled(waiting)).toBe('pending')
    await elapse(1)
    expect(await waiting).toBe(false)
  })

  it('can be waited for without an end', async () => {
    const { pool, start } = create(1)
    const task = start()
    const waiting = pool.waitForSlot(Number.POSITIVE_INFINITY)
    await elapse(10 * 86_400_000)
    expect(await settled(waiting)).toBe('pending')
    task.end()
    expect(await settled(waiting)).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a task that waits outside its slot', () => {
  it('lets others start, counts all the same, and takes a slot again over the limit', async () => {
    const { pool, start, startWaiting } = create(1)
    const { wait, rest, results } = startWaiting()
    await elapse(0)
    expect(pool.availableSlots).toBe(1)
    expect(pool.size).toBe(1)
    start()
    expect(pool.availableSlots).toBe(0)
    wait.resolve('result')
    await elapse(0)
    expect(results).toEqual(['result'])
    expect(pool.availableSlots).toBe(-1)
    expect(await settled(pool.waitForSlot(1_000))).toBe('pending')
    rest.resolve()
    await elapse(0)
    expect(pool.availableSlots).toBe(0)
    expect(pool.size).toBe(1)
  })

  it('takes its slot again when the wait fails', async () => {
    const { pool, startWaiting } = create(1)
    const { wait, results } = startWaiting()
    wait.reject(new RangeError('failed'))
    await elapse(0)
    expect(results).toEqual([expect.any(RangeError)])
    expect(pool.availableSlots).toBe(0)
  })

  it('is one of a hundred at most: then nothing new is started', async () => {
    const { pool, startWaiting } = create(Number.POSITIVE_INFINITY)
    const tasks = Array.from({ length: 99 }, startWaiting)
    await elapse(0)
    expect(pool.availableSlots).toBeGreaterThan(0)
    tasks.push(startWaiting())
    await elapse(0)
    expect(pool.availableSlots).toBe(0)
    const waiting = pool.waitForSlot(60_000)
    expect(await settled(waiting)).toBe('pending')
    tasks[0]?.wait.resolve('result')
    expect(await settled(waiting)).toBe(true)
  })
})

describe('idleness', () => {
  it('is when every task has ended, those outside a slot included', async () => {
    const { pool, start, startWaiting } = create(5)
    expect(await settled(pool.waitUntilIdle(0))).toBe(true)
    const task = start()
    const { wait, rest } = startWaiting()
    const waiting = pool.waitUntilIdle(Number.POSITIVE_INFINITY)
    task.end()
    await elapse(0)
    expect(await settled(waiting)).toBe('pending')
    wait.resolve('result')
    rest.resolve()
    expect(await settled(waiting)).toBe(true)
    expect(pool.size).toBe(0)
  })

  it('is not waited for longer than allowed', async () => {
    const { pool, start } = create(5)
    start()
    const waiting = pool.waitUntilIdle(1_000)
    await elapse(1_000)
    expect(await waiting).toBe(false)
  })
})

describe('the first error of a task', () => {
  it('ends the waiting for a slot at once', async () => {
    const { pool, start } = create(1)
    const task = start()
    const waiting = pool.waitForSlot(60_000)
    waiting.catch(() => undefined)
    task.fail(new RangeError('first'))
    await elapse(0)
    await expect(waiting).rejects.toThrow('first')
    expect(() => pool.throwIfFailed()).toThrow('first')
  })

  it('is reported when the others have ended', async () => {
    const { pool, start } = create(5)
    const [failing, other] = [start(), start()]
    const waiting = pool.waitUntilIdle(60_000)
    waiting.catch(() => undefined)
    failing.fail(new RangeError('first'))
    await elapse(0)
    expect(await settled(waiting)).toBe('pending')
    other.fail(new RangeError('second'))
    await elapse(0)
    await expect(waiting).rejects.toThrow('first')
  })
})
