import { describe, expect, it } from 'vitest'
import { RateMeter } from '../../src/flow/rate-meter.ts'

/** A meter with events at times in ms, and its rate at `readAt`. */
function measure(events: number[], readAt: number): number {
  let now = 5000
  const meter = new RateMeter(() => now)
  for (const at of events) {
    now = 5000 + at
    meter.add()
  }
  now = 5000 + readAt
  return meter.perSecond
}

const every20Ms = (untilMs: number) => Array.from({ length: untilMs / 20 }, (_, i) => i * 20)

describe('events per second', () => {
  it.each([
    { name: 'none', events: [], readAt: 3000, rate: 0 },
    { name: 'the first, at once', events: [0], readAt: 0, rate: 1 },
    { name: 'a steady rate from the start', events: every20Ms(2000), readAt: 2000, rate: 50 },
    { name: 'a steady rate for a minute', events: every20Ms(60_000), readAt: 60_000, rate: 50 },
    { name: 'half of the window idle', events: every20Ms(60_000), readAt: 65_000, rate: 25 },
    { name: 'nothing for longer than the window', events: every20Ms(60_000), readAt: 71_000, rate: 0 },
    { name: 'one after a long idle time', events: [...every20Ms(1000), 90_000], readAt: 90_000, rate: 0.1 },
  ])('$name', ({ events, readAt, rate }) => {
    expect(Math.abs(measure(events, readAt) - rate)).toBeLessThanOrEqual(0.02 * rate)
  })

  it('counts several at once', () => {
    let now = 0
    const meter = new RateMeter(() => now)
    meter.add(100)
    now = 4000
    expect(meter.perSecond).toBe(25)
  })
})
