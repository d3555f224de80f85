import { describe, expect, it } from 'vitest'
import { createRateLimiter } from '../../src/flow/rate-limiter.ts'
import { boundMs, type SimulationResult, simulate, type Worker, type World } from './rate-simulator.ts'

const defaultWorld: Omit<World, 'seed' | 'workers' | 'quota'> = {
  quotaKind: 'bucket',
  burstSeconds: 1,
  medianMs: 200,
  p99Ms: 1500,
  slowThrottles: false,
  jitterMs: 2,
  answersEveryMs: 0,
}
const seeds = [1, 2, 3, 4, 5, 6]

interface Means {
  /** the bound over the time until the last call was admitted: the latency of its answer is the service's own */
  share: number
  throttled: number
  last: SimulationResult
}

/** Means over the seeds; every other one with answers that come bunched. */
async function play(workers: Worker[], changes: Partial<World> & Pick<World, 'quota'>): Promise<Means> {
  const world = { ...defaultWorld, ...changes, workers }
  const bound = boundMs(
    world,
    workers.reduce((sum, { images }) => sum + images, 0),
  )
  const means = { share: 0, throttled: 0 }
  let last: SimulationResult | undefined
  for (const seed of seeds) {
    last = await simulate({ ...world, seed, answersEveryMs: seed % 2 ? 0 : 15 })
    means.share += bound / last.lastAdmittedAt / seeds.length
    means.throttled += last.throttled / last.calls / seeds.length
  }
  if (!last) throw new Error('no seeds')
  return { ...means, last }
}

describe('an unknown quota', () => {
  it.each([
    { quota: 5, burstSeconds: 1 },
    { quota: 5, burstSeconds: 2 },
    { quota: 50, burstSeconds: 0.2 },
    { quota: 50, burstSeconds: 1 },
    { quota: 50, burstSeconds: 2 },
    { quota: 300, burstSeconds: 0.2 },
    { quota: 300, burstSeconds: 1 },
    { quota: 300, burstSeconds: 2 },
  ])('is used to 95 % with at most 3.5 % throttled: %o', async ({ quota, burstSeconds }) => {
    const { share, throttled } = await play([{ images: quota * 20 }], { quota: () => quota, burstSeconds })
    expect(share).toBeGreaterThan(0.95)
    expect(throttled).toBeLessThan(0.035)
  })

  it.each([
    { quota: 1, share: 0.65, throttled: 0.3 },
    { quota: 17, share: 0.95, throttled: 0.03 },
    { quota: 1000, share: 0.95, throttled: 0.03 },
  ])('is found from 1 to 1000 per second: %o', async ({ quota, ...wanted }) => {
    const { share, throttled } = await play([{ images: quota * 60 }], { quota: () => quota })
    expect(share).toBeGreaterThan(wanted.share)
    expect(throttled).toBeLessThan(wanted.throttled)
  })

  it.each([
    { quotaKind: 'sliding' as const, quota: 50 },
    { quotaKind: 'sliding' as const, quota: 300 },
    { quotaKind: 'fixed' as const, quota: 50 },
    { quotaKind: 'fixed' as const, quota: 300 },
  ])('is found where windows of a second are counted: %o', async ({ quotaKind, quota }) => {
    const { share, throttled } = await play([{ images: quota * 60 }], { quota: () => quota, quotaKind })
    expect(share).toBeGreaterThan(0.94)
    expect(throttled).toBeLessThan(0.045)
  })

  it('costs little more when throttled calls are answered as late as others', async () => {
    const { share, throttled } = await play([{ images: 3000 }], { quota: () => 50, slowThrottles: true })
    expect(share).toBeGreaterThan(0.95)
    expect(throttled).toBeLessThan(0.04)
  })
})

describe('a rate found earlier', () => {
  it.each([
    { quota: 5, found: 4.9 },
    { quota: 5, found: 10 },
    { quota: 50, found: 49 },
    { quota: 50, found: 100 },
    { quota: 300, found: 294 },
    { quota: 300, found: 600 },
  ])('replaces the ramp: %o', async ({ quota, found }) => {
    const worker = { images: quota * 20, initialRatePerSecond: found }
    const { share, throttled, last } = await play([worker], { quota: () => quota })
    expect(last.rates[0]).toBe(found)
    expect(share).toBeGreaterThan(0.95)
    expect(throttled).toBeLessThan(0.05)
  })

  it('is left when the quota has become higher', async () => {
    const { share } = await play([{ images: 3000, initialRatePerSecond: 20 }], { quota: () => 50 })
    expect(share).toBeGreaterThan(0.9)
  })

  it.each([
    { found: 1e9, rate: 2000 },
    { found: 0.001, rate: 0.5 },
    { found: 0, rate: 50 },
  ])('is used within reason: %o', ({ found, rate }) => {
    const options = { maxRequestsPerSecond: 0, initialRatePerSecond: found, now: () => 0 }
    expect(createRateLimiter(options).ratePerSecond).toBe(rate)
  })
})

describe('a slow start', () => {
  it.each([50, 300])('begins with few calls and reaches %i per second all the same', async (quota) => {
    const worker = { images: quota * 60, slowStart: true }
    const { share, throttled, last } = await play([worker], { quota: () => quota })
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
  ])('is followed: %o', async ({ from, to }) => {
    const quota = (ms: number) => (ms < 20_000 ? from : to)
    const { share, throttled } = await play([{ images: 20 * from + 20 * to }], { quota })
    expect(share).toBeGreaterThan(0.9)
    expect(throttled).toBeLessThan(0.06)
  })

  it('is found again after an outage of ten seconds', async () => {
    const quota = (ms: number) => (ms > 10_000 && ms < 20_000 ? 0.0001 : 50)
    const { share, last } = await play([{ images: 1500 }], { quota })
    expect(share).toBeGreaterThan(0.75)
    expect(last.throttled).toBeLessThan(0.05 * last.calls)
  })

  it('is shared with another process, and reclaimed when that ends', async () => {
    const { share, throttled } = await play([{ images: 2000 }, { images: 500, startsAt: 10_000 }], {
      quota: () => 50,
    })
    expect(share).toBeGreaterThan(0.6)
    expect(throttled).toBeLessThan(0.05)
  })
})

describe('work that arrives more slowly than the quota', () => {
  it('does not let the rate drift upwards', async () => {
    const supply = (k: number) => (k < 500 ? 0 : 12_000 + k * 50)
    const { last, throttled } = await play([{ images: 1500, supply }], { quota: () => 50 })
    expect(Math.max(...last.rates.slice(150))).toBeLessThan(60)
    expect(throttled).toBeLessThan(0.03)
  })

  it('is processed at the quota after a pause', async () => {
    const supply = (k: number) => (k < 500 ? 0 : 20_000)
    const { last, throttled } = await play([{ images: 1500, supply }], { quota: () => 50 })
    expect(last.finishedAt).toBeLessThan(45_000)
    expect(throttled).toBeLessThan(0.03)
  })
})

describe('a fixed rate', () => {
  // A bucket with one token (5 per second × 0.2 s) throttles what network jitter moves together.
  it.each([
    { quota: 5, throttled: 0.02 },
    { quota: 50, throttled: 0.001 },
    { quota: 300, throttled: 0.0005 },
  ])('is used to 98 % and hardly ever throttled: %o', async ({ quota, ...wanted }) => {
    const worker = { images: quota * 20, maxRequestsPerSecond: quota }
    for (const quotaKind of ['bucket', 'sliding', 'fixed'] as const) {
      const changes = { quota: () => quota, quotaKind, burstSeconds: 0.2, jitterMs: 1 }
      const { last, throttled } = await play([worker], changes)
      expect(throttled).toBeLessThan(wanted.throttled)
      expect(((last.starts.length - 1) / quota) * 1000).toBeGreaterThan(0.98 * (last.starts.at(-1) ?? 0))
    }
  })

  it('spaces the calls evenly', () => {
    let now = 0
    const limiter = createRateLimiter({ maxRequestsPerSecond: 10, now: () => now })
    expect(limiter.waitMs).toBe(0)
    limiter.acquire()
    expect(limiter.waitMs).toBeGreaterThanOrEqual(100)
    now += 5000
    expect(limiter.waitMs).toBe(0)
    limiter.acquire()
    expect(limiter.waitMs).toBeGreaterThan(90)
  })
})
