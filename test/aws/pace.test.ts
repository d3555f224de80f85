import { describe, expect, it } from 'vitest'
import { Pace } from '../../src/aws/pace.ts'
import { boundMs, simulate, type Worker, type World } from './pace-simulator.ts'

const usual: Omit<World, 'seed' | 'workers' | 'quota'> = {
  limiter: 'bucket',
  burstSeconds: 1,
  medianMs: 200,
  p99Ms: 1500,
  slowThrottles: false,
  jitterMs: 2,
  bunchMs: 0,
}
const seeds = Array.from({ length: 10 }, (_, i) => i + 1)

interface Mean {
  /** the bound over the time until the last call was admitted: how long its answer takes is the service's own */
  share: number
  throttled: number
  last: ReturnType<typeof simulate>
}

/** Means over the seeds. */
function play(workers: Worker[], changes: Partial<World> & Pick<World, 'quota'>): Mean {
  const pictures = workers.reduce((sum, worker) => sum + worker.pictures, 0)
  const outcomes = seeds.map((seed) =>
    simulate({ ...usual, ...changes, workers, seed, bunchMs: seed % 2 ? 0 : 15 }),
  )
  const bound = boundMs({ ...usual, ...changes }, pictures)
  const mean = (of: (outcome: Mean['last']) => number) =>
    outcomes.reduce((sum, outcome) => sum + of(outcome), 0) / outcomes.length
  return {
    share: mean((outcome) => bound / outcome.lastAdmittedAt),
    throttled: mean(({ throttled, calls }) => throttled / calls),
    last: outcomes.at(-1) ?? simulate({ ...usual, ...changes, workers, seed: 1 }),
  }
}

describe('a quota that nobody has told', () => {
  it.each([
    { quota: 5, burstSeconds: 1 },
    { quota: 5, burstSeconds: 2 },
    { quota: 50, burstSeconds: 0.2 },
    { quota: 50, burstSeconds: 1 },
    { quota: 50, burstSeconds: 2 },
    { quota: 300, burstSeconds: 0.2 },
    { quota: 300, burstSeconds: 1 },
    { quota: 300, burstSeconds: 2 },
  ])('is reached to 95 %, with 3.5 % throttled: %o', ({ quota, burstSeconds }) => {
    const { share, throttled } = play([{ pictures: quota * 20 }], { quota: () => quota, burstSeconds })
    expect(share).toBeGreaterThan(0.95)
    expect(throttled).toBeLessThan(0.035)
  })

  it.each([
    { quota: 1, share: 0.65, throttled: 0.3 },
    { quota: 17, share: 0.95, throttled: 0.03 },
    { quota: 1000, share: 0.95, throttled: 0.03 },
  ])('is found from 1 to 1000 a second: %o', ({ quota, ...wanted }) => {
    const { share, throttled } = play([{ pictures: quota * 60 }], { quota: () => quota })
    expect(share).toBeGreaterThan(wanted.share)
    expect(throttled).toBeLessThan(wanted.throttled)
  })

  it.each([
    { limiter: 'sliding' as const, quota: 50 },
    { limiter: 'sliding' as const, quota: 300 },
    { limiter: 'fixed' as const, quota: 50 },
    { limiter: 'fixed' as const, quota: 300 },
  ])('is found where calls per second are counted, too: %o', ({ limiter, quota }) => {
    const { share, throttled } = play([{ pictures: quota * 60 }], { quota: () => quota, limiter })
    expect(share).toBeGreaterThan(0.94)
    expect(throttled).toBeLessThan(0.04)
  })

  it('costs little more when throttled calls are answered as late as others', () => {
    const { share, throttled } = play([{ pictures: 3000 }], { quota: () => 50, slowThrottles: true })
    expect(share).toBeGreaterThan(0.95)
    expect(throttled).toBeLessThan(0.04)
  })
})

describe('after a crash', () => {
  it.each([50, 300])('begins with few calls, and comes to %i a second all the same', (quota) => {
    const worker = { pictures: quota * 60, isCareful: true }
    const { share, throttled, last } = play([worker], { quota: () => quota })
    expect(last.starts.filter((at) => at < 1000).length).toBeLessThan(40)
    expect(share).toBeGreaterThan(0.9)
    expect(throttled).toBeLessThan(0.03)
  })
})

describe('a quota that changes', () => {
  it.each([
    { from: 50, to: 25 },
    { from: 50, to: 100 },
    { from: 300, to: 150 },
    { from: 300, to: 600 },
    { from: 100, to: 20 },
  ])('is followed: %o', ({ from, to }) => {
    const quota = (ms: number) => (ms < 20_000 ? from : to)
    const { share, throttled } = play([{ pictures: 20 * from + 20 * to }], { quota })
    expect(share).toBeGreaterThan(0.9)
    expect(throttled).toBeLessThan(0.06)
  })

  it('is found again after ten seconds without any', () => {
    const quota = (ms: number) => (ms > 10_000 && ms < 20_000 ? 0.0001 : 50)
    const { share, last } = play([{ pictures: 1500 }], { quota })
    expect(share).toBeGreaterThan(0.75)
    expect(last.throttled).toBeLessThan(0.05 * last.calls)
  })

  it('is shared with another process, and taken back when that is done', () => {
    const { share, throttled } = play([{ pictures: 2000 }, { pictures: 500, startsAt: 10_000 }], {
      quota: () => 50,
    })
    expect(share).toBeGreaterThan(0.6)
    expect(throttled).toBeLessThan(0.05)
  })
})

describe('work that comes slower than the quota', () => {
  it('does not make the rate drift away', () => {
    const supply = (k: number) => (k < 500 ? 0 : 12_000 + k * 50)
    const { last, throttled } = play([{ pictures: 1500, supply }], { quota: () => 50 })
    expect(Math.max(...last.rates.slice(150))).toBeLessThan(60)
    expect(throttled).toBeLessThan(0.03)
  })

  it('is taken up at the quota after a pause', () => {
    const supply = (k: number) => (k < 500 ? 0 : 20_000)
    const { last, throttled } = play([{ pictures: 1500, supply }], { quota: () => 50 })
    expect(last.finishedAt).toBeLessThan(45_000)
    expect(throttled).toBeLessThan(0.03)
  })
})

describe('a rate that is set', () => {
  it.each([5, 50, 300])('is held to 98 percent at %i a second, and never throttled', (quota) => {
    const worker = { pictures: quota * 20, maxRequestsPerSecond: quota }
    for (const limiter of ['bucket', 'sliding', 'fixed'] as const) {
      const { last } = play([worker], { quota: () => quota, limiter, burstSeconds: 0.2, jitterMs: 1 })
      expect(last.throttled).toBe(0)
      expect(((worker.pictures - 1) / quota) * 1000).toBeGreaterThan(0.98 * (last.starts.at(-1) ?? 0))
    }
  })

  it('spaces the calls evenly', () => {
    let now = 0
    const pace = new Pace({ maxRequestsPerSecond: 10, now: () => now })
    expect(pace.waitMs).toBe(0)
    pace.start()
    expect(pace.waitMs).toBeGreaterThanOrEqual(100)
    now += 5000
    expect(pace.waitMs).toBe(0)
    pace.start()
    expect(pace.waitMs).toBeGreaterThan(90)
  })
})
