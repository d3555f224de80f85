import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CallOutcome, Dispatcher, type DispatcherOptions } from '../../src/flow/dispatcher.ts'
import { Failure, type FailureKind } from '../../src/flow/failure.ts'
import { ShutdownError, TimeoutError } from '../../src/host/shutdown.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)

function failure(kind: FailureKind): Failure {
  return new Failure(kind, 'DetectLabels', `DetectLabels: ${kind}`)
}

/** A dispatcher whose calls are answered by the test, each under a name. */
function create(options: Partial<DispatcherOptions> = {}) {
  const graceful = new AbortController()
  const forced = new AbortController()
  const outcomes: CallOutcome[] = []
  const sent: string[] = []
  const inFlight = new Map<string, PromiseWithResolvers<string>>()
  const dispatcher = new Dispatcher({
    operation: 'DetectLabels',
    maxRequestsPerSecond: 1000,
    shutdown: { graceful: graceful.signal, forced: forced.signal, request: () => graceful.abort() },
    onOutcome: (outcome) => outcomes.push(outcome),
    ...options,
  })
  const call = (name: string, bytes = 0) => {
    const result = dispatcher.call(bytes, (signal) => {
      sent.push(name)
      const answer = Promise.withResolvers<string>()
      signal.addEventListener('abort', () => answer.reject(new Error('aborted')))
      inFlight.set(name, answer)
      return answer.promise
    })
    result.catch(() => undefined)
    return result
  }
  const answer = async (name: string, error?: unknown) => {
    if (error) inFlight.get(name)?.reject(error)
    else inFlight.get(name)?.resolve(`${name} answered`)
    await elapse(0)
  }
  return { dispatcher, call, answer, sent, outcomes, graceful, forced }
}

describe('a call', () => {
  it('returns what was sent for', async () => {
    const { call, answer, outcomes } = create()
    const result = call('a')
    await elapse(0)
    await answer('a')
    expect(await result).toBe('a answered')
    expect(outcomes).toEqual(['answered'])
  })

  it.each<{ error: unknown; outcome: CallOutcome }>([
    { error: failure('subject'), outcome: 'answered' },
    { error: failure('unreadable'), outcome: 'answered' },
    { error: failure('transient'), outcome: 'failed' },
    { error: failure('timeout'), outcome: 'failed' },
    { error: failure('host'), outcome: 'failed' },
    { error: failure('denied'), outcome: 'failed' },
    { error: failure('credentials'), outcome: 'failed' },
    { error: new Error('a bug'), outcome: 'failed' },
  ])('throws what sending it throws: $error.message', async ({ error, outcome }) => {
    const { dispatcher, call, answer, outcomes } = create()
    const result = call('a')
    await elapse(0)
    await answer('a', error)
    await expect(result).rejects.toBe(error)
    expect(outcomes).toEqual([outcome])
    expect(dispatcher.concurrency.inFlight).toBe(0)
  })

  it('waits for a permit, in order of arrival', async () => {
    const { call, sent } = create({ maxRequestsPerSecond: 10 })
    for (const name of ['a', 'b', 'c']) void call(name)
    await elapse(0)
    expect(sent).toEqual(['a'])
    await elapse(99)
    expect(sent).toEqual(['a'])
    await elapse(10)
    expect(sent).toEqual(['a', 'b'])
    await elapse(102)
    expect(sent).toEqual(['a', 'b', 'c'])
  })

  it('raises an adaptive rate when it is answered', async () => {
    const { dispatcher, call, answer } = create({ maxRequestsPerSecond: 0 })
    for (let i = 0; i < 12; i++) void call(String(i))
    await elapse(1000)
    const before = dispatcher.ratePerSecond
    for (let i = 0; i < 7; i++) await answer(String(i))
    expect(dispatcher.ratePerSecond).toBe(before)
    await answer('7', failure('subject'))
    expect(dispatcher.ratePerSecond).toBe(2 * before)
  })

  it('waits for a permit that is months away without spinning', async () => {
    const { call, sent } = create({ maxRequestsPerSecond: 1e-7 })
    void call('a')
    void call('b')
    const timers = vi.spyOn(globalThis, 'setTimeout')
    await elapse(120_000)
    expect(sent).toEqual(['a'])
    expect(timers.mock.calls.length).toBeLessThan(10)
  })

  it('waits for room below the concurrency limit', async () => {
    const { dispatcher, call, answer, sent } = create()
    for (let i = 0; i < 20; i++) void call(String(i))
    await elapse(1000)
    expect(sent).toHaveLength(16)
    expect(dispatcher.concurrency.inFlight).toBe(16)
    await answer('3', failure('transient'))
    await elapse(1000)
    expect(sent.slice(16)).toEqual(['16'])
  })
})

describe('a throttled call', () => {
  it('is sent again, ahead of those that were never sent', async () => {
    const { call, answer, sent, outcomes } = create({ maxRequestsPerSecond: 10 })
    const a = call('a')
    for (const name of ['b', 'c', 'd']) void call(name)
    await elapse(110)
    expect(sent).toEqual(['a', 'b'])
    await answer('a', failure('throttled'))
    await answer('b', failure('throttled'))
    await elapse(400)
    expect(sent).toEqual(['a', 'b', 'a', 'b', 'c', 'd'])
    await answer('a')
    expect(await a).toBe('a answered')
    expect(outcomes).toEqual(['throttled', 'throttled', 'answered'])
  })

  it('gets its own place in flight again when others wait for one', async () => {
    const { call, answer, sent } = create()
    for (let i = 0; i < 20; i++) void call(String(i))
    await elapse(1000)
    await answer('5', failure('throttled'))
    await elapse(10)
    expect(sent.slice(16)).toEqual(['5'])
  })

  it('lowers an adaptive rate', async () => {
    const { dispatcher, call, answer } = create({ maxRequestsPerSecond: 0 })
    void call('a')
    await elapse(0)
    const before = dispatcher.ratePerSecond
    await answer('a', failure('throttled'))
    expect(dispatcher.ratePerSecond).toBeLessThan(before)
  })

  /** Throttles every attempt of a call, each after a second, until it ends. @returns how long that took */
  async function throttleUntilEnd(result: Promise<unknown>, answer: (error: Failure) => Promise<void>) {
    let hasEnded = false
    result.catch(() => {
      hasEnded = true
    })
    const startedAt = performance.now()
    while (!hasEnded && performance.now() - startedAt < 60_000) {
      await elapse(1000)
      await answer(failure('throttled'))
    }
    return performance.now() - startedAt
  }

  it('fails when no call was answered for ten seconds, and each further one at once', async () => {
    const { call, answer } = create({ maxRequestsPerSecond: 100 })
    const a = call('a')
    const tookMs = await throttleUntilEnd(a, (error) => answer('a', error))
    await expect(a).rejects.toMatchObject({ kind: 'throttled' })
    expect(tookMs).toBeGreaterThanOrEqual(10_000)
    expect(tookMs).toBeLessThan(15_000)
    const b = call('b')
    expect(await throttleUntilEnd(b, (error) => answer('b', error))).toBeLessThan(3000)
  })

  it('is sent again for longer while other calls are answered', async () => {
    const { call, answer, sent } = create({ maxRequestsPerSecond: 100 })
    void call('a')
    for (let second = 0; second < 40; second++) {
      if (second % 8 === 0) void call(`other ${second}`)
      await elapse(1000)
      await answer('a', failure('throttled'))
      await answer(`other ${second}`)
    }
    await elapse(1000)
    await answer('a')
    expect(sent.filter((name) => name === 'a').length).toBeGreaterThan(30)
  })
})

describe('the deadline', () => {
  it('depends on the size of the body, and is a failure with the operation', async () => {
    const { call, outcomes } = create()
    const small = call('small', 1000)
    const large = call('large', 5_000_000)
    await elapse(61_000)
    await expect(small).rejects.toMatchObject({ kind: 'timeout', operation: 'DetectLabels' })
    await expect(small).rejects.toThrow('DetectLabels: no result within 60 s')
    expect(outcomes).toEqual(['failed'])
    await elapse(50_000)
    await expect(large).rejects.toMatchObject({ kind: 'timeout' })
  })

  it('starts when the call is sent', async () => {
    const { call, answer } = create({ maxRequestsPerSecond: 0.02 })
    void call('a')
    await elapse(10)
    await answer('a')
    const b = call('b')
    await elapse(60_000)
    await answer('b')
    expect(await b).toBe('b answered')
  })

  it('turns a TimeoutError of the attempt into a failure', async () => {
    const { call, answer } = create()
    const a = call('a')
    await elapse(0)
    await answer('a', new TimeoutError('no byte for 20 s'))
    await expect(a).rejects.toMatchObject({ kind: 'timeout', message: 'DetectLabels: no byte for 20 s' })
  })
})

describe('what surrounds an attempt', () => {
  it('happens in its slot, and its time is neither latency nor counted by the deadline', async () => {
    const { dispatcher, outcomes } = create()
    const spy = vi.spyOn(dispatcher.concurrency, 'answered')
    const around = async <T>(attempt: () => Promise<T>) => {
      await new Promise((resolve) => setTimeout(resolve, 600_000))
      return attempt()
    }
    const send = () => new Promise((resolve) => setTimeout(() => resolve('answer'), 50_000))
    const result = dispatcher.call(0, send, around)
    await elapse(599_000)
    expect(dispatcher.concurrency.inFlight).toBe(1)
    await elapse(51_000)
    expect(await result).toBe('answer')
    expect(spy).toHaveBeenCalledWith(50_000)
    expect(outcomes).toEqual(['answered'])
  })

  it('runs around each attempt, and may keep it from being made', async () => {
    const { dispatcher, outcomes } = create()
    let attempts = 0
    const around = async <T>(attempt: () => Promise<T>) => {
      if (++attempts === 3) throw new RangeError('the limit is reached')
      return attempt()
    }
    const result = dispatcher.call(0, () => Promise.reject(failure('throttled')), around)
    result.catch(() => undefined)
    await elapse(1000)
    await expect(result).rejects.toThrow('the limit is reached')
    expect(dispatcher.concurrency.inFlight).toBe(0)
    expect(outcomes).toEqual(['throttled', 'throttled'])
  })
})

describe('the concurrency limit', () => {
  it('shrinks to one with timeouts, and the next call still goes out', async () => {
    const { dispatcher, call, answer, sent } = create()
    for (let i = 0; i < 20; i++) void call(String(i))
    await elapse(61_000)
    expect(dispatcher.concurrency.limit).toBe(1)
    await answer(sent.at(-1) ?? '')
    expect(dispatcher.concurrency.inFlight).toBe(1)
  })

  it.each<FailureKind>(['transient', 'denied', 'throttled'])(
    'is not reduced by slow failures: %s',
    async (kind) => {
      const { dispatcher, call, answer } = create()
      for (let i = 0; i < 16; i++) void call(String(i))
      await elapse(1000)
      for (let i = 0; i < 16; i++) await answer(String(i))
      const before = dispatcher.concurrency.limit
      for (let i = 100; i < 116; i++) void call(String(i))
      await elapse(25_000)
      for (let i = 100; i < 116; i++) await answer(String(i), failure(kind))
      expect(dispatcher.concurrency.limit).toBe(before)
    },
  )

  it('does not count the time before a call is sent as latency', async () => {
    const { dispatcher, call, answer } = create({ maxRequestsPerSecond: 4 })
    const spy = vi.spyOn(dispatcher.concurrency, 'answered')
    for (let i = 0; i < 20; i++) void call(String(i))
    for (let i = 0; i < 20; i++) {
      await elapse(251.5)
      await answer(String(i))
    }
    const latencies = spy.mock.calls.map(([latencyMs]) => latencyMs)
    expect(latencies).toHaveLength(20)
    expect(Math.max(...latencies)).toBeLessThan(300)
  })
})

describe('shutdown', () => {
  it('rejects waiting calls when graceful, and lets those in flight end', async () => {
    const { call, answer, sent, graceful } = create({ maxRequestsPerSecond: 10 })
    const a = call('a')
    const b = call('b')
    await elapse(0)
    graceful.abort()
    await expect(b).rejects.toBeInstanceOf(ShutdownError)
    await expect(call('c')).rejects.toBeInstanceOf(ShutdownError)
    await answer('a')
    expect(await a).toBe('a answered')
    expect(sent).toEqual(['a'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not send a throttled call again', async () => {
    const { call, answer, graceful } = create()
    const a = call('a')
    await elapse(0)
    graceful.abort()
    await answer('a', failure('throttled'))
    await expect(a).rejects.toBeInstanceOf(ShutdownError)
  })

  it('aborts calls in flight when forced, which is no timeout and no outcome', async () => {
    const { dispatcher, call, outcomes, graceful, forced } = create()
    const a = call('a')
    await elapse(0)
    graceful.abort()
    forced.abort()
    await expect(a).rejects.toBeInstanceOf(ShutdownError)
    expect(outcomes).toEqual([])
    expect(dispatcher.concurrency.limit).toBe(16)
  })

  it('has no listener for each call', async () => {
    const { call, answer, graceful, forced } = create()
    for (let i = 0; i < 5; i++) {
      void call('a')
      await elapse(2)
      await answer('a')
    }
    expect(getEventListeners(graceful.signal, 'abort')).toHaveLength(1)
    expect(getEventListeners(forced.signal, 'abort')).toHaveLength(0)
  })
})
