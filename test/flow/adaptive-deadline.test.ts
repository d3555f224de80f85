import { describe, expect, it } from 'vitest'
import { requestDeadlineMs } from '../../src/aws/clients.ts'
import { AdaptiveDeadline } from '../../src/flow/adaptive-deadline.ts'

const photo = 5_000_000

/** Calls that are sent one after the other, each of which times out. */
function timeOut(deadline: AdaptiveDeadline, times: number): void {
  for (let time = 0; time < times; time++) deadline.timedOut(time, time + 1)
}

describe('AdaptiveDeadline', () => {
  it('gives a minute to a call without a body, whatever has happened', () => {
    const deadline = new AdaptiveDeadline()
    timeOut(deadline, 1)
    expect(deadline.deadlineMs(0)).toBe(60_000)
  })

  it('takes the line to be slower after each timeout, down to 16 kbit/s', () => {
    const deadline = new AdaptiveDeadline()
    const deadlines = [0, 1, 2, 3, 4].map((time) => {
      const ms = deadline.deadlineMs(photo)
      deadline.timedOut(time, time + 1)
      return ms
    })
    expect(deadlines).toEqual([110_000, 260_000, 860_000, 2_560_000, 2_560_000])
  })

  it('takes the calls that were under way together for one: a silent service swallows all of them', () => {
    const deadline = new AdaptiveDeadline()
    for (const [startedAt, now] of [
      [0, 110],
      [1, 111],
      [109, 219],
    ] as const)
      deadline.timedOut(startedAt, now)
    expect(deadline.deadlineMs(photo)).toBe(260_000)
    deadline.timedOut(110, 370)
    expect(deadline.deadlineMs(photo)).toBe(860_000)
  })

  it('converges on four times what calls take', () => {
    const deadline = new AdaptiveDeadline()
    for (let calls = 0; calls < 30; calls++) deadline.answered(photo, 500)
    expect(deadline.deadlineMs(photo)).toBe(62_000)
    deadline.answered(photo, 50_000)
    expect(deadline.deadlineMs(photo)).toBe(260_000)
  })

  it('learns nothing from small calls', () => {
    const deadline = new AdaptiveDeadline()
    deadline.answered(50_000, 60_000)
    expect(deadline.deadlineMs(photo)).toBe(110_000)
  })

  it.each([2, 5, 10])('suffices for a photograph at %d kB/s, also of a download', (kilobytesPerSecond) => {
    const deadline = new AdaptiveDeadline()
    timeOut(deadline, 5)
    const neededMs = photo / kilobytesPerSecond
    expect(deadline.deadlineMs(photo)).toBeGreaterThan(neededMs)
    expect(requestDeadlineMs(photo)).toBeGreaterThan(neededMs)
  })
})
