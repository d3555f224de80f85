import { describe, expect, test } from 'vitest'
import { TimelineRecorder } from '../../src/report/timeline.ts'

type Times = readonly (readonly [sentAt: number | undefined, at: number | undefined])[]

function timelineOf(times: Times) {
  const recorder = new TimelineRecorder()
  for (const [sentAt, at] of times) recorder.add(sentAt, at)
  return recorder.timeline()
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}

describe('a run over its time', () => {
  test('no times, no timeline', () => {
    expect(timelineOf([[1000, undefined]]).start).toBeUndefined()
  })

  test('counts what is sent and not yet recorded, whatever the order of the images', () => {
    const timeline = timelineOf([
      [1000, 9000],
      [3000, 11_000],
      [2000, 10_000],
    ])
    expect(timeline).toMatchObject({ start: 1000, duration: 10_000, maxDepth: 3, meanRate: 0.3 })
    const at = (seconds: number) => timeline.depths[Math.floor((seconds / 10) * timeline.depths.length)]
    expect([at(0.5), at(1.5), at(5), at(8.5), at(9.5)]).toEqual([1, 2, 3, 2, 1])
  })

  test('a burst that is worked off within one step is still seen', () => {
    const burst: Times = Array.from({ length: 50 }, () => [5000, 5001])
    expect(timelineOf([[0, 1], ...burst, [100_000, 100_001]]).maxDepth).toBe(50)
  })

  test('every image is in one step of the rates', () => {
    const times: Times = Array.from({ length: 997 }, (_, i) => [i * 13, i * 17 + 400])
    const { rates, step } = timelineOf(times)
    expect(Math.round((sumOf(rates) * step) / 1000)).toBe(997)
    expect(rates.length).toBeLessThanOrEqual(120)
  })

  test('a reader whose clock is behind the queue makes no negative depths', () => {
    const { depths, duration } = timelineOf([
      [5000, 1000],
      [6000, 2000],
    ])
    expect(Math.min(...depths)).toBeGreaterThanOrEqual(0)
    expect(duration).toBe(1000)
  })

  test('one image, recorded at the moment when it was sent', () => {
    const timeline = timelineOf([[undefined, 1000]])
    expect(timeline).toMatchObject({ duration: 1, maxDepth: 1 })
    expect(timeline.rates.every(Number.isFinite)).toBe(true)
  })

  test('a run of a year has steps of whole days', () => {
    const year: Times = Array.from({ length: 3650 }, (_, i) => [i * 8640e3, i * 8640e3])
    const { step, rates } = timelineOf(year)
    expect([step, rates.length]).toEqual([4 * 86_400e3, 92])
  })
})
