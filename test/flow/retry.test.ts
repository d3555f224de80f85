import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { Failure, type FailureKind } from '../../src/flow/failure.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import {
  backoffMs,
  type RetryPolicy,
  retryBatchUntilDone,
  retryUntilSuccess,
  TroubleClock,
} from '../../src/flow/retry.ts'
import { ImgpipeError } from '../../src/host/exit-codes.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'

vi.mock('node:timers/promises', () => import('./timers-promises.ts'))

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const minute = 60_000
const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const failure = (kind: FailureKind) => new Failure(kind, 'GetQueueUrl', `the service says ${kind}`)

function create(policy: Partial<RetryPolicy> = {}) {
  const never = Number.POSITIVE_INFINITY
  const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
  const shutdown = new AbortController()
  const options = {
    what: 'find the queue "q"',
    policy: { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never, ...policy },
    outages: new OutageLog(log),
    signal: shutdown.signal,
    onAttempt: vi.fn(),
  }
  /** @param attempt by its number, from 0 */
  const run = (attempt: (n: number) => Promise<unknown>) => {
    const work: { result: unknown; attempts: number[] } = { result: undefined, attempts: [] }
    const counted = () => attempt(work.attempts.push(performance.now()) - 1)
    retryUntilSuccess(counted, options).then(
      (result) => {
        work.result = result
      },
      (error: unknown) => {
        work.result = error
      },
    )
    return work
  }
  return { run, options, log, shutdown }
}

describe('backoff', () => {
  test.each([
    [0, 100, 200],
    [1, 200, 400],
    [2, 400, 800],
    [6, 6_400, 12_800],
    [7, 7_500, 15_000],
    [1_000, 7_500, 15_000],
  ])('after %d retries is between %d and %d ms', (failures, min, max) => {
    expect(backoffMs(failures, () => 0)).toBe(min)
    expect(backoffMs(failures, () => 1)).toBe(max)
  })
})

describe('retrying', () => {
  it('goes on until success, with growing pauses', async () => {
    const { run, options } = create()
    const work = run((n) => (n < 12 ? Promise.reject(failure('transient')) : Promise.resolve('answer')))
    await elapse(3 * minute)
    expect(work.result).toBe('answer')
    expect(work.attempts).toHaveLength(13)
    expect(options.onAttempt).toHaveBeenCalledTimes(13)
    const pauses = work.attempts.slice(1).map((at, n) => at - (work.attempts[n] ?? 0))
    for (const [n, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(Math.min(7_500, 100 * 2 ** n) - 1)
      expect(pause).toBeLessThanOrEqual(Math.min(15_000, 200 * 2 ** n) + 1)
    }
  })

  it('is one line of the log and one when it has recovered', async () => {
    const { run, log } = create()
    const end = performance.now() + 10 * minute
    run(() => (performance.now() < end ? Promise.reject(failure('transient')) : Promise.resolve()))
    await elapse(11 * minute)
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      'cannot find the queue "q" (the service says transient); retrying',
    )
    expect(log.info).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/^recovered after 6\d\d s: find the queue/),
    )
  })

  test.each([
    ['a fact', failure('subject')],
    ['a bug', new RangeError('a bug')],
    ['a shutdown', new ShutdownError()],
  ])('passes on %s at once', async (_, error) => {
    const { run } = create()
    const work = run(() => Promise.reject(error))
    await elapse(0)
    expect(work.result).toBe(error)
    expect(work.attempts).toHaveLength(1)
  })

  it('ends with ShutdownError in the pause, at once', async () => {
    const { run, shutdown } = create()
    const work = run(() => Promise.reject(failure('transient')))
    await elapse(minute)
    const attempts = work.attempts.length
    shutdown.abort()
    await elapse(0)
    expect(work.result).toBeInstanceOf(ShutdownError)
    expect(work.attempts).toHaveLength(attempts)
  })

  it('makes one attempt after a shutdown too, and takes the result of one in flight', async () => {
    const { run, shutdown } = create()
    const { promise, resolve } = Promise.withResolvers<string>()
    const before = run(() => promise)
    shutdown.abort()
    const failing = run(() => Promise.reject(failure('transient')))
    const succeeding = run(() => promise)
    await elapse(0)
    expect(failing.result).toBeInstanceOf(ShutdownError)
    expect(failing.attempts).toHaveLength(1)
    resolve('answer')
    await elapse(0)
    expect(before.result).toBe('answer')
    expect(succeeding.result).toBe('answer')
  })
})

describe('the policy', () => {
  const rows: [FailureKind, keyof RetryPolicy, string, RegExp][] = [
    [
      'throttled',
      'unavailableMs',
      'unavailable',
      /^Cannot find the queue "q" for 15 minutes: .* Start again later/,
    ],
    ['transient', 'unavailableMs', 'unavailable', /for 15 minutes/],
    ['timeout', 'unavailableMs', 'unavailable', /for 15 minutes/],
    ['host', 'unavailableMs', 'unavailable', /for 15 minutes/],
    ['unreadable', 'unavailableMs', 'unavailable', /for 15 minutes/],
    ['denied', 'deniedMs', 'permission', /Grant the missing permission/],
    ['credentials', 'credentialsMs', 'permission', /Provide valid credentials/],
    ['missing', 'missingMs', 'settings', /Correct the settings or create it/],
    ['settings', 'missingMs', 'settings', /Correct the settings or create it/],
  ]
  test.each(rows)('%s: ends after %s with %s', async (kind, limit, reason, message) => {
    const { run } = create({ [limit]: 15 * minute })
    const work = run(() => Promise.reject(failure(kind)))
    await elapse(15 * minute - 1)
    expect(work.result).toBeUndefined()
    await elapse(15_001)
    expect(work.result).toBeInstanceOf(ImgpipeError)
    expect(work.result).toMatchObject({ reason, message: expect.stringMatching(message), cause: { kind } })
  })

  test.each(rows)('%s: the other limits do not matter', async (kind, limit) => {
    const zero = { unavailableMs: 0, deniedMs: 0, missingMs: 0, credentialsMs: 0 }
    const { run } = create({ ...zero, [limit]: Number.POSITIVE_INFINITY })
    const work = run(() => Promise.reject(failure(kind)))
    await elapse(60 * minute)
    expect(work.result).toBeUndefined()
  })

  it('of no waiting ends with the first failure', async () => {
    const { run } = create({ missingMs: 0 })
    const work = run(() => Promise.reject(failure('missing')))
    await elapse(0)
    expect(work.result).toBeInstanceOf(ImgpipeError)
    expect(work.attempts).toHaveLength(1)
  })

  it('counts the time of the attempt itself', async () => {
    const { run } = create({ unavailableMs: minute })
    const work = run(async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, minute)
      })
      throw failure('timeout')
    })
    await elapse(minute)
    expect(work.attempts).toHaveLength(1)
    expect(work.result).toMatchObject({ reason: 'unavailable' })
  })
})

describe('the clock of outages', () => {
  it('measures one kind of trouble in a row', () => {
    const clock = new TroubleClock()
    expect(clock.failed('transient', 1_000, 100)).toBe(100)
    expect(clock.failed('timeout', 5_000, 1_000)).toBe(4_100)
    expect(clock.failed('credentials', 6_000, 0)).toBe(0)
    expect(clock.failed('credentials', 7_000, 0)).toBe(1_000)
    expect(clock.failed('throttled', 9_000, 50)).toBe(50)
    expect(clock.failed('missing', 10_000, 0)).toBe(0)
    expect(clock.failed('settings', 12_000, 0)).toBe(2_000)
    clock.succeeded()
    expect(clock.failed('settings', 13_000, 0)).toBe(0)
  })
})

describe('a batch', () => {
  it('is repeated with the entries that were rejected, until none is left', async () => {
    const { options } = create()
    const batches: string[][] = []
    const done = retryBatchUntilDone(
      ['a', 'b', 'c', 'd'],
      async (items) => {
        batches.push([...items])
        if (batches.length === 2) throw failure('transient')
        return items.flatMap((item, index) =>
          item > 'b' && batches.length < 4 ? [{ index, reason: 'busy' }] : [],
        )
      },
      options,
    )
    await elapse(minute)
    await done
    expect(batches).toEqual([
      ['a', 'b', 'c', 'd'],
      ['c', 'd'],
      ['c', 'd'],
      ['c', 'd'],
    ])
  })

  it('that is never accepted ends by the policy, with the reason', async () => {
    const { options } = create({ unavailableMs: minute })
    const done = retryBatchUntilDone(['a'], async () => [{ index: 0, reason: 'InternalError' }], options)
    const result = done.catch((error: unknown) => error)
    await elapse(2 * minute)
    expect(await result).toMatchObject({
      reason: 'unavailable',
      message: expect.stringContaining('InternalError'),
    })
  })
})
