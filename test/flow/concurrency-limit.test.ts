import { describe, expect, it } from 'vitest'
import { ConcurrencyLimit } from '../../src/flow/concurrency-limit.ts'

/** There is always more work: each answer makes room for another call. @param latencies so many times all are answered */
function play(limit: ConcurrencyLimit, latencies: number, latencyMs: (inFlight: number) => number): void {
  fill(limit)
  for (let latency = 0; latency < latencies; latency++) {
    for (let answers = limit.inFlight; answers > 0; answers--) {
      limit.answered(latencyMs(limit.inFlight))
      fill(limit)
    }
  }
}

function fill(limit: ConcurrencyLimit): void {
  while (limit.hasRoom) limit.started()
}

/** All calls in flight time out. */
function stall(limit: ConcurrencyLimit): void {
  while (limit.inFlight > 0) limit.timedOut()
}

describe('growth', () => {
  it('reaches at once what a fast service takes', () => {
    const limit = new ConcurrencyLimit()
    play(limit, 4, () => 1000)
    expect(limit.limit).toBeGreaterThan(300)
  })

  it('stops while the limit holds nothing back', () => {
    const limit = new ConcurrencyLimit()
    for (let call = 0; call < 1000; call++) {
      limit.started()
      limit.answered(100)
    }
    expect(limit.limit).toBe(16)
  })

  it('is slow after a crash, and reaches the same some latencies later', () => {
    const limit = new ConcurrencyLimit({ slowStart: true })
    expect(limit.limit).toBeLessThan(8)
    play(limit, 3, () => 200)
    expect(limit.limit).toBeLessThan(12)
    play(limit, 20, () => 200)
    expect(limit.limit).toBeGreaterThan(64)
  })

  it('pauses while this process is saturated, without giving up what it has', () => {
    let isSaturated = false
    const limit = new ConcurrencyLimit({ isSaturated: () => isSaturated })
    play(limit, 1, () => 100)
    const before = limit.limit
    isSaturated = true
    play(limit, 20, () => 200)
    expect(limit.limit).toBe(before)
    isSaturated = false
    play(limit, 1, () => 200)
    expect(limit.limit).toBeGreaterThan(before)
  })

  it('ignores calls that were throttled or failed', () => {
    const limit = new ConcurrencyLimit()
    for (let call = 0; call < 1000; call++) {
      fill(limit)
      limit.released()
    }
    expect(limit.limit).toBe(16)
  })
})

describe('a service that queues calls', () => {
  it('gets fewer of them', () => {
    const limit = new ConcurrencyLimit()
    const queued = (inFlight: number) => Math.max(500, inFlight * 50)
    play(limit, 200, queued)
    expect(queued(limit.limit)).toBeLessThan(10_000)
  })

  it('gets eight at least', () => {
    const limit = new ConcurrencyLimit()
    play(limit, 4, () => 100)
    let min = limit.limit
    let latencyMs = 5000
    play(limit, 100, () => {
      min = Math.min(min, limit.limit)
      latencyMs *= 1.01
      return latencyMs
    })
    expect(min).toBe(8)
  })

  it('does not raise a limit that timeouts have lowered', () => {
    const limit = new ConcurrencyLimit()
    play(limit, 1, () => 100)
    for (let i = 0; i < 6; i++) limit.timedOut()
    expect(limit.limit).toBe(1)
    for (let i = 0; i < 24; i++) limit.answered(60_000)
    expect(limit.limit).toBeLessThan(8)
  })

  it('gets more again once it has become slower for good', () => {
    const limit = new ConcurrencyLimit()
    play(limit, 10, () => 100)
    play(limit, 100, () => 5000)
    expect(limit.limit).toBeGreaterThan(300)
  })
})

describe('timeouts', () => {
  it.each([
    { timeouts: 1, limit: 8 },
    { timeouts: 2, limit: 4 },
    { timeouts: 3, limit: 2 },
    { timeouts: 4, limit: 1 },
    { timeouts: 16, limit: 1 },
  ])('halve the limit down to one: %o', ({ timeouts, limit: expected }) => {
    const limit = new ConcurrencyLimit()
    fill(limit)
    for (let i = 0; i < timeouts; i++) limit.timedOut()
    expect(limit.limit).toBe(expected)
    expect(limit.inFlight).toBe(16 - timeouts)
  })

  it('leave room for a single call', () => {
    const limit = new ConcurrencyLimit()
    fill(limit)
    stall(limit)
    expect(limit.hasRoom).toBe(true)
    limit.started()
    expect(limit.hasRoom).toBe(false)
  })

  it('are recovered from by successes, slowly at first', () => {
    const limit = new ConcurrencyLimit()
    fill(limit)
    stall(limit)
    play(limit, 7, () => 200)
    expect(limit.limit).toBe(1)
    play(limit, 1, () => 200)
    expect(limit.limit).toBe(2)
    play(limit, 40, () => 200)
    expect(limit.limit).toBeGreaterThan(100)
  })

  it('are forgotten after five hundred answers', () => {
    const limit = new ConcurrencyLimit()
    fill(limit)
    stall(limit)
    const growth = (answers: number) => {
      const before = limit.limit
      for (let i = 0; i < answers; i++) {
        fill(limit)
        limit.answered(200)
      }
      return limit.limit - before
    }
    expect(growth(490)).toBeLessThan(70)
    growth(10)
    expect(growth(50)).toBeGreaterThan(80)
  })

  it('hold the limit near what a slow line carries', () => {
    const limit = new ConcurrencyLimit()
    let calls = 0
    let timeouts = 0
    fill(limit)
    // Four calls at a time share the line; a fifth makes all of them too slow.
    for (let i = 0; i < 2000; i++) {
      calls++
      if (limit.inFlight > 4) {
        timeouts++
        limit.timedOut()
      } else limit.answered(20_000)
      fill(limit)
    }
    expect(limit.limit).toBeLessThanOrEqual(5)
    expect(timeouts / calls).toBeLessThan(0.1)
  })
})
