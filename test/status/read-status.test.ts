import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { publishRun, runDirectory } from '../../src/results/publish.ts'
import { readStatus } from '../../src/status/read-status.ts'
import { statusJson } from '../../src/status/status-json.ts'
import { DetectorState, ReaderState, runId, temporaryDirectory, threeOutcomes } from './state-fixture.ts'

const query = { keepRuns: 100, maxFailures: 5 }
const run = runId(1)
const head = {
  run,
  bucket: 'images',
  label: 'Car',
  count: 3,
  images: 9,
  detectorFailed: 1,
  detectorFailures: [],
  texts: 1,
  failures: 1,
  finishedAt: '2026-11-22T17:45:21.000Z',
  calls: { DetectText: 3 },
  reused: 0,
  requests: {},
}

async function completeRun(stateDir: string, own = threeOutcomes()): Promise<void> {
  const state = await ReaderState.open(stateDir)
  const seq = await state.begin(run, own)
  await state.setEnd(seq, { count: 3, images: 9, failed: 1 })
  await publishRun(stateDir, head, threeOutcomes())
  await state.complete(seq)
}

describe('a complete run', () => {
  it('is counted by its results, of several readers too, with the failures that are no longer in the database', async () => {
    const stateDir = temporaryDirectory()
    await completeRun(stateDir, threeOutcomes().slice(0, 1))
    const [status] = (await readStatus(stateDir, query)).runs
    expect(status?.reader).toMatchObject({
      state: 'complete',
      recorded: 3,
      count: 3,
      texts: 1,
      failed: 1,
      failures: [{ key: '3.jpg', reason: 'the object is gone' }],
      bucket: 'images',
      label: 'Car',
      results: join(runDirectory(stateDir, run), 'results.txt'),
    })
  })

  it.each([
    ['are deleted', (path: string) => rm(path)],
    ['are corrupt', (path: string) => writeFile(path, '[]\n')],
    ['are truncated', (path: string) => writeFile(path, '{"run":\n')],
  ])('is shown when its results %s', async (_, spoil) => {
    const stateDir = temporaryDirectory()
    await completeRun(stateDir)
    await spoil(join(runDirectory(stateDir, run), 'results.json'))
    const [status] = (await readStatus(stateDir, query)).runs
    expect(status?.reader).toMatchObject({ state: 'complete', recorded: 3, texts: 1, results: undefined })
  })

  it('does not show results of an unfinished run, whatever is in its directory', async () => {
    const stateDir = temporaryDirectory()
    const state = await ReaderState.open(stateDir)
    await state.begin(run, threeOutcomes())
    await mkdir(runDirectory(stateDir, run), { recursive: true })
    await appendFile(join(runDirectory(stateDir, run), 'results.json.tmp'), '{')
    const [status] = (await readStatus(stateDir, query)).runs
    expect(status?.reader).toMatchObject({ results: undefined })
  })
})

it('adds up calls and dollars of both workers', async () => {
  const stateDir = temporaryDirectory()
  const [detector, reader] = [await DetectorState.open(stateDir), await ReaderState.open(stateDir)]
  const seq = await detector.begin(run, { reused: 100, requests: { SendMessageBatch: 1_000_000 } })
  await detector.database.commit(() => detector.runs.countAsked(seq))
  await reader.begin(run, threeOutcomes(), 'asked')
  const [status] = (await readStatus(stateDir, query)).runs
  expect(status?.dollars.calls).toBeCloseTo(0.004)
  expect(status?.dollars.saved).toBeCloseTo(0.1)
  expect(status?.dollars.requests).toBeCloseTo(0.4)
})

it('as JSON has every field, with null for what is unknown and ISO 8601 for times', async () => {
  const stateDir = temporaryDirectory()
  const detector = await DetectorState.open(stateDir)
  await detector.begin(run)
  const reader = await ReaderState.open(stateDir)
  await reader.begin(run)
  const json = JSON.parse(statusJson(await readStatus(stateDir, query)))
  const iso = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  const callsToday = { reserved: 0, answered: 0, throttled: 0, failed: 0 }
  const worker = {
    isRunning: false,
    waiting: null,
    newestRun: run,
    openRuns: 1,
    openSince: iso,
    lastSuccessAt: null,
    callsToday,
    calls: [],
  }
  const common = {
    state: 'interrupted',
    failed: 0,
    failures: [],
    asked: 0,
    reused: 0,
    perSecond: 0,
    secondsLeft: null,
    waiting: null,
    startedAt: iso,
    finishedAt: null,
    requests: {},
  }
  expect(json).toEqual({
    detector: worker,
    reader: worker,
    runs: [
      {
        run,
        detector: {
          ...common,
          bucket: 'images',
          prefix: '',
          label: 'Car',
          processed: 0,
          total: null,
          cars: 0,
        },
        reader: {
          ...common,
          recorded: 0,
          count: null,
          images: null,
          detectorFailed: null,
          texts: 0,
          bucket: null,
          label: null,
          results: null,
        },
        dollars: { calls: 0, saved: 0, requests: 0 },
      },
    ],
  })
})
