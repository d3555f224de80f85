import { describe, expect, it } from 'vitest'
import { Failure } from '../../src/flow/failure.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { publishRun } from '../../src/results/publish.ts'
import { DailyCalls, DailyLimitReached } from '../../src/state/calls.ts'
import { lockStateDirectory } from '../../src/state/lock.ts'
import { metrics, metricsText } from '../../src/status/metrics.ts'
import { sampleName } from '../../src/status/openmetrics.ts'
import { readNewestRuns } from '../../src/status/read-status.ts'
import { waitingReason, waitingReasons } from '../../src/status/waiting-reason.ts'
import { parseOpenMetrics } from './openmetrics-format.ts'
import { DetectorState, ReaderState, runId, temporaryDirectory, threeOutcomes } from './state-fixture.ts'

const limits = { maxCallsPerDay: 0 }

/** Every series of a state directory: `name{label="value"}` without `role`, per worker. */
async function scrape(
  stateDir: string,
  context: Parameters<typeof metricsText>[1] = limits,
): Promise<Record<string, Record<string, number>>> {
  const text = metricsText(await readNewestRuns(stateDir, { keepRuns: 100, maxFailures: 0 }), context)
  const workers: Record<string, Record<string, number>> = {}
  for (const { samples } of parseOpenMetrics(text).values()) {
    for (const { name, labels, value } of samples) {
      const { role = '', ...others } = labels
      const series = Object.values(others).length > 0 ? `${name} ${Object.values(others).join(' ')}` : name
      workers[role] = { ...workers[role], [series]: value }
    }
  }
  return workers
}

describe('the metrics', () => {
  it('of a host without state are none', async () => {
    expect(await scrape('/no/such/directory')).toEqual({})
  })

  it('tell an outage: before, during and after it', async () => {
    const stateDir = temporaryDirectory()
    const detector = await DetectorState.open(stateDir)
    const lock = lockStateDirectory(stateDir, 'detector')
    try {
      const seq = await detector.begin(runId(1), { processed: 10, total: 40, cars: 4 })
      const before = await scrape(stateDir)
      expect(before.detector).toMatchObject({
        imgpipe_worker_running: 1,
        'imgpipe_waiting credentials': 0,
        imgpipe_open_runs: 1,
        imgpipe_run_images: 10,
        imgpipe_run_expected_images: 40,
        imgpipe_run_cars: 4,
      })
      expect(before.detector).not.toHaveProperty('imgpipe_last_success_timestamp_seconds')

      await detector.progress(seq, {
        processed: 10,
        waiting: 'waiting for new credentials to list (expired)',
      })
      expect((await scrape(stateDir)).detector).toMatchObject({
        'imgpipe_waiting credentials': 1,
        'imgpipe_waiting service': 0,
      })

      await detector.progress(seq, { processed: 40, total: 40 })
      await detector.end(seq)
      const after = (await scrape(stateDir)).detector ?? {}
      expect(after).toMatchObject({ 'imgpipe_waiting credentials': 0, imgpipe_open_runs: 0 })
      expect(after).not.toHaveProperty('imgpipe_open_run_start_timestamp_seconds')
      const success = after.imgpipe_last_success_timestamp_seconds ?? 0
      expect(success).toBeGreaterThanOrEqual(after.imgpipe_run_start_timestamp_seconds ?? Number.NaN)
    } finally {
      lock.release()
    }
  })

  it('of a worker that was killed do not say that it waits', async () => {
    const stateDir = temporaryDirectory()
    const { database } = await DetectorState.open(stateDir).then(async (state) => {
      await state.begin(runId(1), { waiting: 'cannot detect labels (HTTP status 500)' })
      return state
    })
    await database.close()
    expect((await scrape(stateDir)).detector).toMatchObject({
      imgpipe_worker_running: 0,
      'imgpipe_waiting service': 0,
      imgpipe_open_runs: 1,
    })
  })

  it('count the calls of all days and regions, and the dollars of today against the limit', async () => {
    const stateDir = temporaryDirectory()
    const { database } = await ReaderState.open(stateDir)
    // An hour ahead: what is reserved for later counts today too, so that midnight may pass meanwhile.
    const today = Date.now() + 3_600_000
    for (const [region, now] of [
      ['us-east-1', today - 86_400_000],
      ['us-east-1', today],
      ['eu-west-1', today],
    ] as const) {
      const calls = new DailyCalls(database, { region, maxCallsPerDay: 0, now: () => now })
      await calls.reserved('DetectText', async () => undefined)
      await database.commit(() => calls.count('DetectText', 'answered', 2))
      await database.commit(() => calls.count('DetectText', 'throttled', 3))
    }
    const { reader } = await scrape(stateDir, { maxCallsPerDay: 500 })
    expect(reader).toMatchObject({
      'imgpipe_rekognition_calls_total DetectText us-east-1 answered': 4,
      'imgpipe_rekognition_calls_total DetectText us-east-1 throttled': 6,
      'imgpipe_rekognition_calls_total DetectText us-east-1 failed': 0,
      'imgpipe_rekognition_calls_total DetectText eu-west-1 answered': 2,
      imgpipe_cost_today_dollars: 0.002,
      imgpipe_cost_limit_dollars: 0.5,
    })
    expect((await scrape(stateDir)).reader).not.toHaveProperty('imgpipe_cost_limit_dollars')
  })

  it('are of the newest run that each worker knows, however many the other one has begun since', async () => {
    const stateDir = temporaryDirectory()
    const reader = await ReaderState.open(stateDir)
    const seq = await reader.begin(runId(0), threeOutcomes())
    await reader.setEnd(seq, { count: 3, images: 9, failed: 1 })
    const head = { run: runId(0), bucket: 'images', label: 'Car', count: 3, images: 9, detectorFailed: 1 }
    const more = {
      detectorFailures: [],
      texts: 1,
      failures: 1,
      finishedAt: '',
      calls: {},
      reused: 0,
      requests: {},
    }
    await publishRun(stateDir, { ...head, ...more }, threeOutcomes())
    await reader.complete(seq)
    const detector = await DetectorState.open(stateDir)
    for (let n = 1; n <= 8; n++) await detector.begin(runId(n), { processed: n })
    const workers = await scrape(stateDir)
    expect(workers.detector).toMatchObject({ imgpipe_run_images: 8, imgpipe_open_runs: 8 })
    expect(workers.reader).toMatchObject({
      imgpipe_run_expected_images: 9,
      imgpipe_run_cars: 3,
      imgpipe_run_expected_cars: 3,
      imgpipe_run_texts: 1,
      imgpipe_run_failed_images: 1,
      imgpipe_run_cost_dollars: 0.003,
    })
    expect(workers.reader).not.toHaveProperty('imgpipe_run_images')
  })

  it('carry the name of a further pipeline', async () => {
    const stateDir = temporaryDirectory()
    await DetectorState.open(stateDir)
    const { detector } = await scrape(stateDir, { ...limits, pipeline: 'second' })
    expect(detector).toMatchObject({ 'imgpipe_open_runs second': 0 })
  })

  it('have names of their own, in the terms of OpenMetrics', () => {
    const names = metrics.map(sampleName)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, help, unit } of metrics) {
      expect(name).toMatch(/^imgpipe(_[a-z]+)+$/)
      expect(help).toMatch(/^[A-Z].*\.$/)
      expect(/_(seconds|dollars)$/.exec(name)?.[1]).toBe(unit)
    }
  })
})

describe('the reason of a wait', () => {
  const silent = {
    error: () => undefined,
    warn: () => undefined,
    info: () => undefined,
    debug: () => undefined,
  }

  /** The sentence that a worker's status shows after ten seconds of it. */
  function waitingFor(report: (outages: OutageLog) => void): string {
    let now = 0
    const outages = new OutageLog(silent, () => now)
    report(outages)
    now += 10_000
    report(outages)
    return outages.summary ?? ''
  }

  it.each([
    ['credentials', 'credentials'],
    ['denied', 'permission'],
    ['transient', 'service'],
    ['throttled', 'service'],
  ] as const)('of a failure that is %s is "%s"', (kind, reason) => {
    const failure = new Failure(kind, 'DetectLabels', 'HTTP status 500')
    expect(waitingReason(waitingFor((outages) => outages.report('detect labels', failure)))).toBe(reason)
  })

  it.each([
    [new DailyLimitReached(500, Date.UTC(2026, 10, 23)).message, 'daily-limit'],
    ['waiting for DetectText for 12 s', 'request'],
    ['run 20261122T174500Z-3f9a: 2 of 9 messages have not come and the queue is empty', 'messages'],
    ['messages are about the bucket "other", but this reader\'s setting "bucket" is "images"', 'messages'],
    ['disk full, cannot write /var/lib/imgpipe: waiting for free space', 'disk'],
    ['database /var/lib/imgpipe/reader.sqlite is locked by another program: waiting', 'disk'],
    ['too many open files or no memory left, cannot write /var/lib/imgpipe: waiting', 'disk'],
    ['something new', 'other'],
  ])('%s: %s', (sentence, reason) => {
    expect(waitingReason(sentence)).toBe(reason)
    expect(waitingReasons).toContain(reason)
  })
})
