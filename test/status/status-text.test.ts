import { describe, expect, it } from 'vitest'
import type { DetectorStatus } from '../../src/state/detector-status.ts'
import type { ReaderOverview, RunOverview } from '../../src/status/read-status.ts'
import { runTable } from '../../src/status/run-table.ts'
import { duration, runLines, statusLines } from '../../src/status/status-text.ts'

const started = { startedAt: new Date('2026-11-22T17:45:00Z'), finishedAt: undefined }
const idle = { perSecond: 0, secondsLeft: undefined, waiting: undefined, requests: {}, ...started }

const detector: DetectorStatus = {
  state: 'working',
  bucket: 'images',
  prefix: '2026/',
  label: 'Car',
  processed: 40,
  total: 100,
  cars: 11,
  failed: 7,
  failures: [{ key: 'a\u001B[31m.jpg', reason: 'the object is empty' }],
  asked: 33,
  reused: 7,
  ...idle,
  perSecond: 5,
  secondsLeft: 12,
  waiting: 'waiting for new credentials',
}

const reader: ReaderOverview = {
  state: 'complete',
  recorded: 11,
  count: 11,
  images: 100,
  detectorFailed: 7,
  texts: 1,
  failed: 0,
  failures: [],
  asked: 1000,
  reused: 0,
  ...idle,
  bucket: 'images',
  label: 'Car',
  results: '/state/runs/r/results.txt',
}

const overview: RunOverview = {
  run: '20261122T174500Z-aaaa',
  detector,
  reader,
  dollars: { calls: 1.033, saved: 0.007, requests: 0.00012 },
}

describe('a run for people', () => {
  it('shows progress, what is waited for, failures, cost and where the results are', () => {
    expect(runLines(overview)).toEqual([
      'run 20261122T174500Z-aaaa, started 2026-11-22 17:45:00 UTC, bucket images/2026/, label Car',
      '  detector  working: 40 of 100 images, 11 cars, 7 failed, 5.0/s, 12 s left',
      '            waiting for new credentials',
      '            a\uFFFD[31m.jpg: the object is empty',
      '            and 6 more',
      '  reader    complete: 11 of 11 cars read, 1 with text',
      '  cost      1033 Rekognition calls ($1.03), 7 reused ($0.0070 saved), SQS and S3 $0.00012',
      '  results   /state/runs/r/results.txt',
    ])
  })

  it('shows what one host knows: one image, no total', () => {
    const alone: DetectorStatus = {
      ...detector,
      ...idle,
      state: 'interrupted',
      prefix: '',
      processed: 1,
      total: undefined,
      cars: 1,
      failed: 0,
      failures: [],
      asked: 1,
      reused: 0,
    }
    const dollars = { calls: 0.001, saved: 0, requests: 0 }
    expect(runLines({ ...overview, reader: undefined, detector: alone, dollars })).toEqual([
      'run 20261122T174500Z-aaaa, started 2026-11-22 17:45:00 UTC, bucket images, label Car',
      '  detector  interrupted: 1 image, 1 car',
      '  cost      1 Rekognition call ($0.0010)',
    ])
  })
})

describe('the workers for people', () => {
  const callsToday = { reserved: 12, answered: 10, throttled: 2, failed: 1 }

  it.each([
    [true, 0, 'detector: running, 10 Rekognition calls answered today, 2 throttled, 1 failed'],
    [
      false,
      50,
      'detector: not running, 10 Rekognition calls answered today, 2 throttled, 1 failed, 12 of 50 a day used',
    ],
    [undefined, 0, 'detector: 10 Rekognition calls answered today, 2 throttled, 1 failed'],
  ])('running: %s, limit %i', (isRunning, maxCallsPerDay, line) => {
    const detector = {
      isRunning,
      waiting: undefined,
      newestRun: undefined,
      openRuns: 0,
      openSince: undefined,
      lastSuccessAt: undefined,
      callsToday,
      calls: [],
    }
    const status = { detector, reader: undefined, runs: [] }
    expect(statusLines(status, maxCallsPerDay)).toEqual([line])
  })
})

it('lists runs in aligned columns, with what is unknown as a dash', () => {
  const foreign = { ...overview, run: 'foreign-20261122T174500Z-aaaa', detector: undefined }
  expect(runTable([{ ...overview, reader: undefined }, foreign])).toEqual([
    'run                            started                  detector  reader    images  cars  texts  failed',
    '20261122T174500Z-aaaa          2026-11-22 17:45:00 UTC  working   -         40      11    -      7',
    'foreign-20261122T174500Z-aaaa  2026-11-22 17:45:00 UTC  -         complete  100     11    1      7',
  ])
})

it.each([
  [0, '0 s'],
  [89, '89 s'],
  [90, '2 min'],
  [5309, '88 min'],
  [5400, '1 h 30 min'],
  [86_400, '24 h 0 min'],
])('%d seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words)
})
