import { describe, expect, it } from 'vitest'
import { InFlightLimit } from '../../src/aws/in-flight.ts'

/** There is always more to do: each answer makes place for another call. @param latencies so many times all are answered */
function play(limit: InFlightLimit, latencies: number, latencyMs: (inFlight: number) => number): void {
  while (limit.hasRoom) limit.started()
  for (let latency = 0; latency < latencies; latency++) {
    for (let answers = limit.inFlight; answers > 0; answers--) {
      limit.ended(latencyMs(limit.inFlight))
      while (limit.hasRoom) limit.started()
    }
  }
}

describe('how many calls may be under way', () => {
  it('grows at once to what a fast service takes', () => {
    const limit = new InFlightLimit()
    play(limit, 4, () => 1000)
    expect(limit.limit).toBeGreaterThan(300)
  })

  it('does not grow while it holds nothing back', () => {
    const limit = new InFlightLimit()
    for (let call = 0; call < 1000; call++) {
      limit.started()
      limit.ended(100)
    }
    expect(limit.limit).toBe(16)
  })

  it('shrinks again where more calls at a time only wait longer', () => {
    const limit = new InFlightLimit()
    const served = (inFlight: number) => Math.max(500, inFlight * 50)
    play(limit, 200, served)
    expect(served(limit.limit)).toBeLessThan(10_000)
  })

  it('grows again with a service that has become slower for good', () => {
    const limit = new InFlightLimit()
    play(limit, 10, () => 100)
    play(limit, 100, () => 5000)
    expect(limit.limit).toBeGreaterThan(300)
  })

  it('after a crash begins with few, and reaches the same some latencies later', () => {
    const careful = new InFlightLimit({ isCareful: true })
    expect(careful.limit).toBeLessThan(8)
    play(careful, 3, () => 200)
    expect(careful.limit).toBeLessThan(12)
    play(careful, 20, () => 200)
    expect(careful.limit).toBeGreaterThan(64)
  })
})
