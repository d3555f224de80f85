import { describe, expect, it } from 'vitest'
import { Quota } from '../../src/local/quota.ts'

/** How many of `asked` simultaneous requests a quota admits, at each of these times in milliseconds. */
function admitted(maxRequestsPerSecond: number, asked: number, times: number[]): number[] {
  let time = 0
  const quota = new Quota({ maxRequestsPerSecond, now: () => time })
  return times.map((at) => {
    time = at
    return Array.from({ length: asked }, () => quota.tryAcquire()).filter(Boolean).length
  })
}

describe('Quota', () => {
  it.each([
    ['none', 0, 1000, [0, 1], [1000, 1000]],
    ['starts with one second’s worth', 5, 100, [0], [5]],
    ['fills at its rate', 5, 100, [0, 200, 400, 1000], [5, 1, 1, 3]],
    ['keeps no more than one second’s worth', 5, 100, [0, 60_000], [5, 5]],
    ['below one a second still has room for one', 0.5, 100, [0, 1000, 2000], [1, 0, 1]],
    ['of a broken number', 2.5, 100, [0, 400, 1000], [2, 1, 2]],
  ])('%s', (_name, rate, asked, times, expected) => {
    expect(admitted(rate, asked, times)).toEqual(expected)
  })

  it('rejected requests take no token', () => {
    expect(admitted(10, 1000, [0, 100, 200, 300])).toEqual([10, 1, 1, 1])
  })
})
