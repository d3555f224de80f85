import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { OutageLog } from '../../src/flow/outage-log.ts'
import type { RunEnd } from '../../src/protocol/outcomes.ts'
import { IdleRuns } from '../../src/reader/idle-runs.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { ReaderRuns } from '../../src/state/reader-runs.ts'
import { TestDatabase } from '../state/test-database.ts'

const older = '20261122T174500Z-aaaa'
const newer = '20261122T174501Z-aaaa'
/** Longer than the visibility timeout, with a margin. */
const quietMs = 90_000
const hourMs = 3_600_000
const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
const end: RunEnd = { count: 3, images: 3, failed: 0, failures: [], abandoned: false }

let files: TestDatabase
let database: StateDatabase
let runs: ReaderRuns
let idle: IdleRuns

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  vi.clearAllMocks()
  files = new TestDatabase('reader')
  database = await files.open()
  runs = new ReaderRuns(database)
  idle = create()
})

afterEach(async () => {
  vi.useRealTimers()
  await files.delete()
})

function create({ isShared = false } = {}): IdleRuns {
  return new IdleRuns({ runs, outages: new OutageLog(log), isShared, visibilitySeconds: 30 })
}

/** A run with outcomes 1 to `recorded`. @returns its seq */
async function begin(run: string, recorded: number, { isEnded = true } = {}): Promise<number> {
  const { seq } = await runs.begin(run)
  await database.commit(() => {
    if (isEnded) runs.setEnd(seq, end)
    for (let n = 1; n <= recorded; n++)
      runs.addOutcome(seq, { n, key: `${n}.jpg`, at: n, outcome: 'no-text' }, 'asked')
  })
  return seq
}

/** A series of empty receives. */
function silence(ms: number): void {
  idle.check()
  vi.advanceTimersByTime(ms)
  idle.check()
}

const said = () => log.warn.mock.calls.map(([sentence]) => String(sentence))

it('names a run that lacks messages after a long silence, with the remedy', async () => {
  await begin(older, 2)
  silence(quietMs - 1)
  expect(said()).toEqual([])
  silence(1)
  expect(said()).toEqual([
    `run ${older}: 1 of 3 messages have not come and the queue is empty; move its messages back from the dead-letter queue, or start another run with "imgpipe detect --all" on the detector's host, and give it up with "imgpipe runs --delete ${older}"`,
  ])
})

it('counts no silence that a failed receive or a message has interrupted', async () => {
  await begin(older, 2)
  for (let times = 0; times < 3; times++) {
    silence(quietMs - 1)
    idle.disturbed()
    // An outage, however long, is no silence.
    vi.advanceTimersByTime(hourMs)
  }
  idle.check()
  expect(said()).toEqual([])
})

it('gives up no run, although a newer one is complete: that one may be of another prefix', async () => {
  await begin(older, 2)
  const { seq } = await runs.begin(newer)
  await database.commit(() => runs.setComplete(seq))
  silence(hourMs)
  expect(runs.get(older)?.state).toBe('open')
  expect(said()).toEqual([expect.stringMatching(/ queue, or give it up with "imgpipe runs --delete 2026/)])
})

it('says nothing of a run that lacks nothing: its publication may wait for disk space', async () => {
  await begin(older, 3)
  silence(hourMs)
  expect(said()).toEqual([])
})

it('is patient with a run without its end: the detector may be waiting', async () => {
  await begin(older, 1, { isEnded: false })
  silence(hourMs - 1)
  expect(said()).toEqual([])
  silence(1)
  expect(said()).toEqual([expect.stringContaining(`run ${older}: its "-1" has not come`)])
})

it('is patient with a shared run, which others may be working on, and names it too', async () => {
  idle = create({ isShared: true })
  await begin(older, 1)
  silence(hourMs - 1)
  expect(said()).toEqual([])
  silence(1)
  expect(said()).toEqual([expect.stringContaining(`run ${older}: it has not all of its 3 outcomes`)])
})
