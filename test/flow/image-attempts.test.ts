import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { Failure, type FailureKind } from '../../src/flow/failure.ts'
import { ImageAttempts, ImageFailure, type Step } from '../../src/flow/image-attempts.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import type { RetryPolicy } from '../../src/flow/retry.ts'
import type { Probe, Witness } from '../../src/flow/step-record.ts'
import { TaskPool } from '../../src/flow/task-pool.ts'
import { ImgpipeError } from '../../src/host/exit-codes.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import { Random } from '../support/random.ts'

vi.mock('node:timers/promises', () => import('./timers-promises.ts'))

beforeEach(() => {
  const random = new Random('image attempts')
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockImplementation(() => random.next())
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const latencyMs = 100

function failure(kind: FailureKind, message = `the service says ${kind}`): Failure {
  return new Failure(kind, 'Operation', message)
}

function latency(ms = latencyMs): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** A call that takes a while, then fails with the kind that is given, if any. */
async function call(kind?: FailureKind, ms = latencyMs): Promise<string> {
  await latency(ms)
  if (kind) throw failure(kind)
  return 'answer'
}

function create({
  probes = {},
  witnesses = {},
  policy = {},
  slots = 16,
}: {
  probes?: Record<string, Probe>
  witnesses?: Record<string, Witness>
  policy?: Partial<RetryPolicy>
  slots?: number
} = {}) {
  const never = Number.POSITIVE_INFINITY
  const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
  const shutdown = new AbortController()
  const pool = new TaskPool(() => slots)
  const outages = new OutageLog(log)
  const attempts = new ImageAttempts({
    what: 'detect labels',
    maxAttempts: 5,
    probes,
    witnesses,
    outages,
    pool,
    policy: { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never, ...policy },
    signal: shutdown.signal,
  })
  /** An image with a slot of its own; the result is the outcome or the error. */
  const run = (attempt: (step: Step) => Promise<unknown>) => {
    const image: { result: unknown; attempts: number; endedAt: number } = {
      result: undefined,
      attempts: 0,
      endedAt: 0,
    }
    pool.start(async () => {
      const counted = (step: Step) => {
        image.attempts++
        return attempt(step)
      }
      image.result = await attempts.run(counted).catch((error: unknown) => error)
      image.endedAt = performance.now()
    })
    return image
  }
  /** Good images, one after the other, from now on. */
  const runGood = (step: string, { perSecond, count }: { perSecond: number; count: number }) => {
    for (let n = 0; n < count; n++)
      setTimeout(() => run((on) => on(step, () => call())), (n * second) / perSecond)
  }
  return { run, runGood, pool, shutdown, log, outages }
}

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)

describe('outages', () => {
  it('of every step, probes included, for an hour: all images succeed afterwards', async () => {
    const isDown = () => performance.now() - startedAt < hour
    const step = () => call(isDown() ? 'transient' : undefined)
    const { run, pool } = create({ probes: { get: step, detect: step } })
    const startedAt = performance.now()
    const images = Array.from({ length: 60 }, () =>
      run(async (on) => {
        await on('get', step)
        return on('detect', step)
      }),
    )
    await elapse(hour)
    expect(images.every(({ result }) => result === undefined)).toBe(true)
    await elapse(minute)
    expect(images.map(({ result }) => result)).toEqual(images.map(() => 'answer'))
    expect(pool.size).toBe(0)
  })

  it('that end with a brown-out: all images succeed', async () => {
    const random = new Random('brown-out')
    const fails = () => performance.now() - startedAt < 10 * minute || random.chance(0.4)
    const step = () => call(fails() ? 'transient' : undefined)
    const { run, pool } = create({ probes: { detect: step } })
    const startedAt = performance.now()
    const results: { result: unknown }[] = []
    const source = (async () => {
      while (results.length < 2000) {
        if (await pool.waitForSlot(second)) results.push(run((on) => on('detect', step)))
      }
    })()
    await elapse(30 * minute)
    await source
    expect(results.filter(({ result }) => result !== 'answer')).toEqual([])
  })

  it('of one kind longer than the policy allows end the worker, no image fails', async () => {
    const { run } = create({ policy: { unavailableMs: 15 * minute } })
    const images = Array.from({ length: 20 }, () => run((on) => on('detect', () => call('transient'))))
    await elapse(15 * minute - 1)
    expect(images.every(({ result }) => result === undefined)).toBe(true)
    await elapse(20 * second)
    for (const { result } of images) {
      expect(result).toBeInstanceOf(ImgpipeError)
      expect(result).toMatchObject({ reason: 'unavailable', message: expect.stringContaining('15 minutes') })
    }
  })

  it('are measured anew when the kind of trouble changes, or one image succeeds', async () => {
    let kind: FailureKind | undefined = 'transient'
    const { run } = create({ policy: { unavailableMs: 15 * minute } })
    const image = run((on) => on('detect', () => call(kind)))
    await elapse(10 * minute)
    kind = 'credentials'
    await elapse(minute)
    kind = 'transient'
    await elapse(10 * minute)
    run((on) => on('detect', () => call()))
    await elapse(10 * minute)
    expect(image.result).toBeUndefined()
    await elapse(6 * minute)
    expect(image.result).toMatchObject({ reason: 'unavailable' })
  })

  test.each<[FailureKind, string, keyof RetryPolicy]>([
    ['throttled', 'unavailable', 'unavailableMs'],
    ['timeout', 'unavailable', 'unavailableMs'],
    ['host', 'unavailable', 'unavailableMs'],
    ['missing', 'settings', 'missingMs'],
    ['settings', 'settings', 'missingMs'],
    ['credentials', 'permission', 'credentialsMs'],
    ['denied', 'permission', 'deniedMs'],
  ])('%s ends the worker with the reason %s', async (kind, reason, limit) => {
    const { run } = create({ policy: { [limit]: 2 * minute } })
    const image = run((on) => on('detect', () => call(kind)))
    await elapse(2 * minute - 1)
    expect(image.result).toBeUndefined()
    await elapse(minute)
    expect(image.result).toBeInstanceOf(ImgpipeError)
    expect(image.result).toMatchObject({ reason })
  })
})

describe('an image that always fails', () => {
  it('among good ones is at fault after about a minute, with its reason', async () => {
    const { run, runGood } = create()
    runGood('detect', { perSecond: 5, count: 600 })
    const bad = run((on) => on('detect', () => call('transient')))
    await elapse(minute - 1)
    expect(bad.result).toBeUndefined()
    await elapse(30 * second)
    expect(bad.result).toBeInstanceOf(ImageFailure)
    expect(bad.result).toMatchObject({
      message: `the service says transient; ${bad.attempts} attempts`,
      cause: { kind: 'transient' },
    })
  })

  it('with a fact about itself is a failure at once, and evidence that the step works', async () => {
    const { run } = create()
    for (let n = 0; n < 100; n++) {
      setTimeout(() => run((on) => on('detect', () => call('subject'))), n * second)
    }
    const bad = run((on) => on('detect', () => call('transient')))
    const gone = run((on) => on('detect', () => call('subject')))
    await elapse(latencyMs)
    expect(gone.attempts).toBe(1)
    expect(gone.result).toBeInstanceOf(ImageFailure)
    expect(gone.result).toMatchObject({ message: 'the service says subject', cause: { kind: 'subject' } })
    await elapse(100 * second)
    expect(bad.result).toBeInstanceOf(ImageFailure)
  })

  it('alone is at fault when probes succeed', async () => {
    const probe = vi.fn(() => call())
    const { run } = create({ probes: { get: probe } })
    const bad = run((on) => on('get', () => call('transient')))
    await elapse(90 * second)
    expect(bad.result).toBeInstanceOf(ImageFailure)
    expect(probe).toHaveBeenCalledWith('transient')
  })

  test.each<[string, Record<string, Probe>]>([
    ['fail', { get: () => call('transient') }],
    ['are impossible', { get: () => undefined }],
    ['belong to another step', { detect: () => call() }],
  ])('alone is not at fault when probes %s', async (_, probes) => {
    const { run } = create({ probes })
    const image = run((on) => on('get', () => call('transient')))
    await elapse(hour)
    expect(image.result).toBeUndefined()
  })

  it('is judged by first attempts: others that fail again and again count once', async () => {
    const { run, runGood } = create()
    for (let n = 0; n < 10; n++) run((on) => on('detect', () => call('timeout')))
    runGood('detect', { perSecond: 1, count: 600 })
    const bad = run((on) => on('detect', () => call('transient')))
    await elapse(3 * minute)
    expect(bad.result).toBeInstanceOf(ImageFailure)
  })

  it('is not at fault soon when most of the others time out', async () => {
    const { run } = create()
    for (let n = 0; n < 600; n++) {
      setTimeout(() => run((on) => on('detect', () => call(n % 10 === 0 ? undefined : 'timeout'))), n * 100)
    }
    const image = run((on) => on('detect', () => call('transient')))
    await elapse(110 * second)
    expect(image.result).toBeUndefined()
  })

  it('at one step is judged by that step alone', async () => {
    const { run } = create({ probes: { detect: () => call('transient') } })
    for (let n = 0; n < 200; n++) {
      const good = async (on: Step) => {
        await on('get', () => call())
        return on('detect', () => call('transient'))
      }
      setTimeout(() => run(good), n * second)
    }
    const bad = run((on) => on('get', () => call('transient')))
    await elapse(150 * second)
    expect(bad.result).toBeInstanceOf(ImageFailure)
  })

  it('starts anew at a step that has succeeded meanwhile', async () => {
    const { run, runGood } = create()
    runGood('get', { perSecond: 5, count: 2000 })
    let attempt = 0
    const image = run(async (on) => {
      const fails = ++attempt % 4 !== 0
      await on('get', () => call(fails ? 'transient' : undefined))
      return on('detect', () => call('transient'))
    })
    await elapse(6 * minute)
    expect(image.result).toBeUndefined()
  })

  test.each<FailureKind>(['throttled', 'host', 'credentials', 'missing', 'settings', 'timeout'])(
    'with %s is never at fault while others are in flight',
    async (kind) => {
      const { run, runGood } = create({ probes: { detect: () => call('transient') } })
      runGood('detect', { perSecond: 1, count: 600 })
      const image = run((on) => on('detect', () => call(kind)))
      await elapse(10 * minute)
      expect(image.result).toBeUndefined()
    },
  )

  it('passes on what is no failure of a service', async () => {
    const { run } = create()
    const image = run(() => Promise.reject(new RangeError('a bug')))
    await elapse(0)
    expect(image.result).toBeInstanceOf(RangeError)
  })
})

describe('denied', () => {
  it('for all: the permission is missing, no image fails', async () => {
    const denied = (on: Step) => on('detect', () => call('denied'))
    const { run } = create({ policy: { deniedMs: minute }, probes: { detect: () => call('denied') } })
    const images = Array.from({ length: 10 }, () => run(denied))
    await elapse(minute)
    expect(images.every(({ result }) => result === undefined)).toBe(true)
    await elapse(20 * second)
    for (const { result } of images) expect(result).toMatchObject({ reason: 'permission' })
  })

  it('for all, where the worker waits: an image succeeds when the permission is granted', async () => {
    let kind: FailureKind | undefined = 'denied'
    const { run } = create({ probes: { detect: () => call(kind) } })
    const images = Array.from({ length: 10 }, () => run((on) => on('detect', () => call(kind))))
    await elapse(hour)
    kind = undefined
    await elapse(20 * second)
    expect(images.map(({ result }) => result)).toEqual(images.map(() => 'answer'))
  })

  it('for one among good ones: that image fails, the worker goes on', async () => {
    const { run, runGood } = create({ policy: { deniedMs: minute } })
    runGood('detect', { perSecond: 5, count: 600 })
    const image = run((on) => on('detect', () => call('denied')))
    await elapse(90 * second)
    expect(image.result).toBeInstanceOf(ImageFailure)
  })

  it('for the last one of few, where no probe is possible: that image fails', async () => {
    const { run } = create({ policy: { deniedMs: minute }, probes: { detect: () => undefined } })
    const image = run((on) => on('detect', () => call('denied', 2 * latencyMs)))
    for (let n = 0; n < 2; n++) run((on) => on('detect', () => call()))
    await elapse(4 * minute)
    expect(image.result).toBeInstanceOf(ImageFailure)
  })
})

describe('probes', () => {
  it('are shared, one at a time and not more often than every second', async () => {
    let inFlight = 0
    const starts: number[] = []
    const probe = vi.fn(async () => {
      expect(++inFlight).toBe(1)
      starts.push(performance.now())
      await latency(3 * second)
      inFlight--
      throw failure('transient')
    })
    const { run } = create({ probes: { detect: probe }, slots: 60 })
    for (let n = 0; n < 60; n++) run((on) => on('detect', () => call('denied')))
    await elapse(5 * minute)
    expect(starts.length).toBeGreaterThan(10)
    for (const [n, start] of starts.entries())
      expect(start - (starts[n - 1] ?? -minute)).toBeGreaterThanOrEqual(4 * second)
  })

  it('are not made for a blip, nor while enough other images succeed', async () => {
    const probe = vi.fn(() => call())
    const { run, runGood } = create({ probes: { detect: probe } })
    runGood('detect', { perSecond: 100, count: 10_000 })
    run((on) => on('detect', () => call('transient')))
    let failures = 0
    run((on) => on('detect', () => call(failures++ < 2 ? 'transient' : undefined)))
    await elapse(90 * second)
    expect(probe).not.toHaveBeenCalled()
  })

  it('with a fact about their bytes as the answer show that the step works', async () => {
    const { run } = create({ probes: { detect: () => call('subject') } })
    const bad = run((on) => on('detect', () => call('transient')))
    await elapse(90 * second)
    expect(bad.result).toBeInstanceOf(ImageFailure)
  })
})

describe('a service that answers probes, but fails every real image', () => {
  test.each<[string, number, FailureKind]>([
    ['3 images', 3, 'transient'],
    ['40 images', 40, 'transient'],
    ['3 images that time out', 3, 'timeout'],
  ])('%s: nobody is at fault, all succeed afterwards', async (_, count, kind) => {
    const isDown = () => performance.now() - startedAt < hour
    const { run } = create({ probes: { detect: () => call('subject') } })
    const startedAt = performance.now()
    const images = Array.from({ length: count }, () =>
      run((on) => on('detect', () => call(isDown() ? kind : undefined))),
    )
    await elapse(hour)
    expect(images.every(({ result }) => result === undefined)).toBe(true)
    await elapse(minute)
    expect(images.map(({ result }) => result)).toEqual(images.map(() => 'answer'))
  })

  test.each<FailureKind>(['transient', 'timeout'])(
    'images that are all broken (%s): the worker ends when its patience does',
    async (kind) => {
      const { run } = create({
        probes: { detect: () => call('subject') },
        policy: { unavailableMs: 15 * minute },
      })
      const images = Array.from({ length: 3 }, () => run((on) => on('detect', () => call(kind))))
      await elapse(15 * minute - 1)
      expect(images.every(({ result }) => result === undefined)).toBe(true)
      await elapse(30 * second)
      for (const { result } of images) expect(result).toMatchObject({ reason: 'unavailable' })
    },
  )

  test.each<[FailureKind, number]>([
    ['transient', 2],
    ['transient', 10],
    ['timeout', 3],
  ])(
    'images that are all broken (%s, %d of them) are at fault when one that was read before still is',
    async (kind, count) => {
      const witness = vi.fn(() => call())
      const { run } = create({
        probes: { detect: () => call('subject') },
        witnesses: { detect: witness },
        policy: { unavailableMs: 15 * minute },
      })
      const images = Array.from({ length: count }, () => run((on) => on('detect', () => call(kind))))
      await elapse(10 * minute)
      expect(witness).not.toHaveBeenCalled()
      await elapse(15 * minute)
      for (const { result } of images) expect(result).toBeInstanceOf(ImageFailure)
      expect(witness.mock.calls.length).toBeLessThan(80)
    },
  )

  it('one that was read before fails as well: nobody is at fault, all succeed afterwards', async () => {
    const isDown = () => performance.now() - startedAt < hour
    const step = () => call(isDown() ? 'transient' : undefined)
    const { run } = create({ probes: { detect: () => call('subject') }, witnesses: { detect: step } })
    const startedAt = performance.now()
    const images = Array.from({ length: 3 }, () => run((on) => on('detect', step)))
    await elapse(hour + minute)
    expect(images.map(({ result }) => result)).toEqual(images.map(() => 'answer'))
  })

  it('broken images are at fault as soon as others succeed between their failures', async () => {
    const { run, runGood } = create({ probes: { detect: () => call('subject') } })
    const bad = Array.from({ length: 3 }, () => run((on) => on('detect', () => call('transient'))))
    await elapse(5 * minute)
    expect(bad.every(({ result }) => result === undefined)).toBe(true)
    runGood('detect', { perSecond: 2, count: 1000 })
    await elapse(3 * minute)
    for (const { result } of bad) expect(result).toBeInstanceOf(ImageFailure)
  })

  it('a denied image does not keep another one from being judged', async () => {
    const { run } = create({ probes: { get: () => call() } })
    const images = (['denied', 'transient'] as const).map((kind) => run((on) => on('get', () => call(kind))))
    await elapse(2 * minute)
    for (const { result } of images) expect(result).toBeInstanceOf(ImageFailure)
  })
})

describe('after an outage', () => {
  it('a denied image and one that always fails do not hold each other up', async () => {
    const { run, runGood } = create({ probes: { get: () => call() } })
    const outageMs = 90 * second
    const startedAt = performance.now()
    const isOut = () => performance.now() - startedAt < outageMs
    const denied = run((on) => on('get', () => call(isOut() ? 'transient' : 'denied')))
    const broken = run((on) => on('get', () => call('transient')))
    runGood('get', { perSecond: 1, count: 17 })
    await elapse(outageMs + 5 * minute)
    for (const { result } of [denied, broken]) expect(result).toBeInstanceOf(ImageFailure)
  })
})

describe('unreadable', () => {
  const unreadable = () => call('unreadable')

  it('for Rekognition while others are read: that image fails after a minute', async () => {
    const { run, runGood } = create({ policy: { deniedMs: minute, unavailableMs: minute } })
    const image = run((on) => on('detect', unreadable))
    runGood('detect', { perSecond: 1, count: 100 })
    await elapse(minute - 1)
    expect(image.result).toBeUndefined()
    await elapse(30 * second)
    expect(image.result).toBeInstanceOf(ImageFailure)
    expect(image.result).toMatchObject({ message: `the service says unreadable; ${image.attempts} attempts` })
  })

  it('while an image that was read before is read again: it fails after a minute', async () => {
    const witness = vi.fn(() => call())
    const { run } = create({ witnesses: { detect: witness }, probes: { detect: () => call() } })
    const image = run((on) => on('detect', unreadable))
    await elapse(90 * second)
    expect(image.result).toBeInstanceOf(ImageFailure)
    expect(witness).toHaveBeenCalledOnce()
  })

  it('while such an image cannot be read either: nobody fails', async () => {
    const outageMs = 20 * minute
    const startedAt = performance.now()
    const read = () => call(performance.now() - startedAt < outageMs ? 'unreadable' : undefined)
    const { run } = create({ witnesses: { detect: read }, probes: { detect: () => call() } })
    const images = Array.from({ length: 6 }, () => run((on) => on('detect', read)))
    await elapse(outageMs + minute)
    expect(images.map(({ result }) => result)).toEqual(Array(6).fill('answer'))
  })

  it('while such an image cannot be read for an hour: it fails all the same, so that the run ends', async () => {
    const { run } = create({ witnesses: { detect: unreadable }, probes: { detect: () => call() } })
    const image = run((on) => on('detect', unreadable))
    await elapse(59 * minute)
    expect(image.result).toBeUndefined()
    await elapse(2 * minute)
    expect(image.result).toBeInstanceOf(ImageFailure)
  })

  it('when nothing else was ever read: it fails after ten minutes', async () => {
    const { run } = create({ policy: { deniedMs: minute, unavailableMs: minute } })
    const image = run((on) => on('detect', unreadable))
    await elapse(9 * minute)
    expect(image.result).toBeUndefined()
    await elapse(2 * minute)
    expect(image.result).toBeInstanceOf(ImageFailure)
  })
})

describe('an image that times out', () => {
  const timeoutMs = 5 * second

  it('is tried alone after a minute; at fault when it times out twice more while probes succeed', async () => {
    const startedAt = performance.now()
    let inFlight = 0
    let isAlone = true
    const tracked = async (kind: FailureKind | undefined, ms: number) => {
      inFlight++
      if (inFlight > 1) isAlone = false
      try {
        return await call(kind, ms)
      } finally {
        inFlight--
      }
    }
    const { run, pool } = create({ probes: { detect: () => call() } })
    const good: { result: unknown }[] = []
    const source = (async () => {
      while (good.length < 1000) {
        if (await pool.waitForSlot(second))
          good.push(run((on) => on('detect', () => tracked(undefined, 900))))
        await latency(200)
      }
    })()
    const wasAlone: boolean[] = []
    const bad = run(async (on) => {
      isAlone = inFlight === 0
      try {
        return await on('detect', () => tracked('timeout', timeoutMs))
      } finally {
        wasAlone.push(isAlone)
      }
    })
    await elapse(10 * minute)
    await source
    expect(bad.endedAt - startedAt).toBeGreaterThan(minute)
    expect(bad.endedAt - startedAt).toBeLessThan(2 * minute)
    expect(bad.result).toBeInstanceOf(ImageFailure)
    expect(bad.result).toMatchObject({
      message: `the service says timeout; ${bad.attempts} attempts, the last ones with no other in flight`,
      cause: { kind: 'timeout' },
    })
    expect(wasAlone.length).toBeGreaterThanOrEqual(7)
    expect(wasAlone.slice(-2)).toEqual([true, true])
    expect(wasAlone.slice(0, -2)).not.toContain(true)
    expect(good.filter(({ result }) => result !== 'answer')).toEqual([])
  })

  it('is not tried alone before it has timed out as often as maxAttempts says', async () => {
    const { run } = create({ probes: { detect: () => call() } })
    const image = run((on) => on('detect', () => call('timeout', 40 * second)))
    await elapse(10 * minute)
    expect(image.attempts).toBe(7)
    expect(image.result).toBeInstanceOf(ImageFailure)
  })

  it('on long deadlines, as the last one: is judged although that takes longer than an outage may last', async () => {
    const { run } = create({ probes: { detect: () => call() }, policy: { unavailableMs: 15 * minute } })
    const image = run((on) => on('detect', () => call('timeout', 10 * minute)))
    await elapse(40 * minute)
    expect(image.result).toBeUndefined()
    await elapse(40 * minute)
    expect(image.result).toBeInstanceOf(ImageFailure)
  })

  it('is not at fault when the probe times out too, or none is possible', async () => {
    for (const probe of [() => call('timeout', timeoutMs), () => undefined]) {
      const { run } = create({ probes: { detect: probe } })
      const image = run((on) => on('detect', () => call('timeout', timeoutMs)))
      await elapse(hour)
      expect(image.result).toBeUndefined()
    }
  })

  it('in an outage of silence: two attempts are never alone at once, and all images succeed afterwards', async () => {
    const isDown = () => performance.now() - startedAt < 20 * minute
    const step = () => (isDown() ? call('timeout', timeoutMs) : call())
    const { run } = create({ probes: { detect: step }, slots: 40 })
    const startedAt = performance.now()
    let inFlight = 0
    let maxLate = 0
    const images = Array.from({ length: 40 }, () =>
      run(async (on) => {
        inFlight++
        if (performance.now() - startedAt > 10 * minute) maxLate = Math.max(maxLate, inFlight)
        try {
          return await on('detect', step)
        } finally {
          inFlight--
        }
      }),
    )
    await elapse(20 * minute)
    expect(images.every(({ result }) => result === undefined)).toBe(true)
    expect(maxLate).toBe(1)
    await elapse(2 * minute)
    expect(images.map(({ result }) => result)).toEqual(images.map(() => 'answer'))
  })
})

describe('shutdown', () => {
  it('ends the pause before the next attempt at once', async () => {
    const { run, shutdown } = create()
    const image = run((on) => on('detect', () => call('transient')))
    await elapse(minute)
    const { attempts } = image
    shutdown.abort()
    await elapse(latencyMs)
    expect(image.result).toBeInstanceOf(ShutdownError)
    expect(image.attempts).toBeLessThanOrEqual(attempts + 1)
  })

  test.each<[FailureKind | undefined, unknown]>([
    [undefined, 'answer'],
    ['subject', expect.any(ImageFailure)],
    ['transient', expect.any(ShutdownError)],
    ['denied', expect.any(ShutdownError)],
  ])('lets an attempt in flight end: %s', async (kind, expected) => {
    const { run, shutdown } = create({ policy: { unavailableMs: 0, deniedMs: 0 } })
    const image = run((on) => on('detect', () => call(kind)))
    shutdown.abort()
    await elapse(latencyMs)
    expect(image.result).toEqual(expected)
  })
})

describe('while an image waits for its next attempt', () => {
  it('its slot is free for others', async () => {
    const { run, pool } = create({ slots: 1 })
    run((on) => on('detect', () => call('transient')))
    expect(pool.availableSlots).toBe(0)
    await elapse(minute)
    const others = []
    for (let n = 0; n < 100; n++) {
      if (pool.availableSlots > 0) others.push(run((on) => on('detect', () => call())))
      await elapse(latencyMs)
    }
    expect(others.length).toBeGreaterThan(90)
    expect(pool.size).toBe(1)
  })

  it('a slow probe holds no slot either', async () => {
    const { run, pool } = create({ slots: 1, probes: { detect: () => call('transient', minute) } })
    const image = run((on) => on('detect', () => call('transient')))
    while (image.attempts < 3) await elapse(latencyMs)
    await elapse(30 * second)
    expect(image.attempts).toBe(3)
    expect(pool.availableSlots).toBe(1)
  })

  it('the outage is reported once', async () => {
    const { run, log } = create()
    for (let n = 0; n < 16; n++) run((on) => on('detect', () => call('transient')))
    await elapse(10 * minute)
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      'cannot detect labels (the service says transient); retrying',
    )
  })
})
