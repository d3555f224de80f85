import { describe, expect, it, onTestFinished } from 'vitest'
import { DailyCalls } from '../../src/state/calls.ts'
import { DetectorStatuses } from '../../src/state/detector-status.ts'
import { lockStateDirectory } from '../../src/state/lock.ts'
import { readHostStatus } from '../../src/state/run-status.ts'
import { DetectorState, ReaderState, runId, temporaryDirectory, threeOutcomes } from './state-fixture.ts'

const query = { keepRuns: 100, maxFailures: 5 }
const run = runId(1)

function lock(stateDir: string, role: 'detector' | 'reader'): void {
  const held = lockStateDirectory(stateDir, role)
  onTestFinished(() => held.release())
}

describe('a run of the detector', () => {
  const progress = {
    processed: 40,
    total: 100,
    cars: 11,
    failed: 2,
    perSecond: 5,
    reused: 7,
    waiting: 'waiting for new credentials',
    requests: { DetectLabels: 33 },
  }

  it('is working while the detector holds its lock, with rate, time left and what it waits for', async () => {
    const stateDir = temporaryDirectory()
    const state = await DetectorState.open(stateDir)
    await state.begin(run, progress)
    lock(stateDir, 'detector')
    const { detector, runs } = await readHostStatus(stateDir, query)
    expect(detector?.isRunning).toBe(true)
    expect(runs).toMatchObject([
      {
        run,
        reader: undefined,
        detector: {
          ...progress,
          state: 'working',
          bucket: 'images',
          prefix: '',
          label: 'Car',
          secondsLeft: 12,
          finishedAt: undefined,
        },
      },
    ])
  })

  it('is interrupted without a detector, and then has no rate and waits for nothing', async () => {
    const stateDir = temporaryDirectory()
    const state = await DetectorState.open(stateDir)
    await state.begin(run, progress)
    const [status] = (await readHostStatus(stateDir, query)).runs
    expect(status?.detector).toMatchObject({
      state: 'interrupted',
      processed: 40,
      perSecond: 0,
      secondsLeft: undefined,
      waiting: undefined,
    })
  })

  it.each([
    ['done', 'done'],
    ['abandoned', 'abandoned'],
    ['ended', 'working'],
  ] as const)('that is %s in the database is %s, whoever runs', async (state, expected) => {
    const stateDir = temporaryDirectory()
    const detector = await DetectorState.open(stateDir)
    await detector.end(await detector.begin(run, progress), state)
    lock(stateDir, 'detector')
    const [status] = (await readHostStatus(stateDir, query)).runs
    expect(status?.detector?.state).toBe(expected)
    expect(status?.detector?.finishedAt !== undefined).toBe(state !== 'ended')
    if (state !== 'ended') expect(status?.detector?.perSecond).toBe(0)
  })

  it('shows a rate only while it is reported: the worker may be waiting', async () => {
    const stateDir = temporaryDirectory()
    const state = await DetectorState.open(stateDir)
    await state.begin(run, progress)
    lock(stateDir, 'detector')
    const later = await readHostStatus(stateDir, query, Date.now() + 20_000)
    expect(later.runs[0]?.detector).toMatchObject({ state: 'working', perSecond: 0, secondsLeft: undefined })
    const setBack = await readHostStatus(stateDir, query, Date.now() - 3_600_000)
    expect(setBack.runs[0]?.detector).toMatchObject({ state: 'working', perSecond: 0 })
  })

  it('counts an answer that it paid for, and names the first failures', async () => {
    const stateDir = temporaryDirectory()
    const state = await DetectorState.open(stateDir)
    const seq = await state.begin(run, { failed: 3 })
    await state.database.commit(() => {
      state.runs.countAsked(seq)
      for (const key of ['c', 'a', 'b']) state.runs.addFailure(seq, { key, reason: `${key} is empty` })
    })
    const [status] = (await readHostStatus(stateDir, { ...query, maxFailures: 2 })).runs
    expect(status?.detector).toMatchObject({
      asked: 1,
      failed: 3,
      failures: [
        { key: 'a', reason: 'a is empty' },
        { key: 'b', reason: 'b is empty' },
      ],
    })
  })
})

it.each([
  [0, 'working'],
  [14_000, 'working'],
  [16_000, 'interrupted'],
  [-14_000, 'working'],
  [-3_600_000, 'interrupted'],
] as const)(
  'without permission to see the lock, a run that was updated %i ms ago is %s',
  async (ageMs, expected) => {
    const stateDir = temporaryDirectory()
    const state = await DetectorState.open(stateDir)
    await state.begin(run)
    const { database } = state
    const updatedAt = Number(database.prepare('SELECT updated_at FROM runs').get()?.updated_at)
    const context = { isRunning: undefined, maxFailures: 0, now: updatedAt + ageMs }
    expect(new DetectorStatuses(database, context).get(run)?.state).toBe(expected)
  },
)

it('a run counts what came after the last checkpoint, as far as the database knows', async () => {
  const stateDir = temporaryDirectory()
  const state = await DetectorState.open(stateDir)
  const seq = await state.begin(run, { processed: 10, cars: 1, reused: 8 })
  const car = { etag: undefined, sizeBytes: 1, confidence: 99, boxes: [] }
  await state.database.commit(() => {
    for (let n = 1; n <= 4; n++) {
      state.runs.addCar(seq, { ...car, key: `${n}.jpg` })
      state.runs.countAsked(seq)
    }
    state.runs.addFailure(seq, { key: '5.jpg', reason: 'empty' })
  })
  const [status] = (await readHostStatus(stateDir, query)).runs
  expect(status?.detector).toMatchObject({ processed: 13, cars: 4, failed: 1 })
})

describe('a run of the reader', () => {
  it('counts its outcomes before and after the end message', async () => {
    const stateDir = temporaryDirectory()
    const state = await ReaderState.open(stateDir)
    const seq = await state.begin(run, threeOutcomes())
    lock(stateDir, 'reader')
    const counts = { state: 'working', recorded: 3, texts: 1, failed: 1, asked: 3, reused: 0 }
    const failures = [{ key: '3.jpg', reason: 'the object is gone' }]
    const before = (await readHostStatus(stateDir, query)).runs[0]
    expect(before).toMatchObject({ detector: undefined, reader: { ...counts, count: undefined, failures } })
    await state.setEnd(seq, { count: 5, images: 9, failed: 1 })
    await state.database.commit(() =>
      state.runs.setProgress(seq, { perSecond: 2, waiting: 'waiting', requests: { DetectText: 3 } }),
    )
    const after = (await readHostStatus(stateDir, query)).runs[0]
    expect(after?.reader).toMatchObject({
      ...counts,
      count: 5,
      images: 9,
      detectorFailed: 1,
      perSecond: 2,
      secondsLeft: 1,
      waiting: 'waiting',
      requests: { DetectText: 3 },
    })
  })

  it.each(['complete', 'abandoned'] as const)('that is %s is over', async (expected) => {
    const stateDir = temporaryDirectory()
    const state = await ReaderState.open(stateDir)
    const seq = await state.begin(run, threeOutcomes())
    if (expected === 'complete') await state.complete(seq)
    else await state.database.commit(() => state.runs.setAbandoned(seq))
    lock(stateDir, 'reader')
    const [status] = (await readHostStatus(stateDir, query)).runs
    expect(status?.reader).toMatchObject({ state: expected, perSecond: 0, waiting: undefined })
    expect(status?.reader?.finishedAt).toBeInstanceOf(Date)
  })

  it('is combined with the detector’s half on a host that runs both', async () => {
    const stateDir = temporaryDirectory()
    const [detector, reader] = [await DetectorState.open(stateDir), await ReaderState.open(stateDir)]
    for (const n of [1, 2, 3]) await detector.begin(runId(n))
    for (const n of [1, 2]) await reader.begin(runId(n))
    const { runs } = await readHostStatus(stateDir, { ...query, maxRuns: 2 })
    expect(runs.map(({ run, detector, reader }) => [run, Boolean(detector), Boolean(reader)])).toEqual([
      [runId(3), true, false],
      [runId(2), true, true],
    ])
    const [only] = (await readHostStatus(stateDir, { ...query, run: runId(1) })).runs
    expect(only).toMatchObject({ run: runId(1), detector: {}, reader: {} })
  })

  it('is no longer kept beyond keepRuns, unless it is unfinished', async () => {
    const stateDir = temporaryDirectory()
    const state = await ReaderState.open(stateDir)
    await state.begin(runId(0))
    for (const n of [1, 2, 3]) await state.complete(await state.begin(runId(n)))
    const { runs } = await readHostStatus(stateDir, { ...query, keepRuns: 2 })
    expect(runs.map(({ run }) => run)).toEqual([runId(3), runId(2), runId(0)])
  })
})

describe('calls of today', () => {
  it('are counted by worker and UTC day, with reservations of a clock that was set back', async () => {
    const stateDir = temporaryDirectory()
    const { database } = await ReaderState.open(stateDir)
    const noon = Date.UTC(2026, 10, 22, 12)
    for (const now of [noon - 86_400_000, noon, noon, noon + 86_400_000]) {
      const calls = new DailyCalls(database, { region: 'us-east-1', maxCallsPerDay: 10, now: () => now })
      await calls.reserved('DetectText', async () => undefined)
      await database.commit(() => calls.count('DetectText', 'answered', now === noon ? 2 : 100))
    }
    const { reader, detector } = await readHostStatus(stateDir, query, noon)
    expect(reader?.callsToday).toEqual({ reserved: 3, answered: 4, throttled: 0, failed: 0 })
    expect(detector).toBeUndefined()
  })
})
