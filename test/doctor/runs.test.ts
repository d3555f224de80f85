import { expect, it, onTestFinished } from 'vitest'
import { checkRuns } from '../../src/doctor/runs.ts'
import { lockStateDirectory } from '../../src/state/lock.ts'
import type { Role } from '../../src/state/role.ts'
import {
  DetectorState,
  ReaderState,
  runId,
  temporaryDirectory,
  threeOutcomes,
} from '../status/state-fixture.ts'

const workers = ['detector', 'reader'] as const
const run = runId(1)

function check(stateDir: string, role: readonly Role[] = workers) {
  return checkRuns({ stateDir, keepRuns: 100 }, role)
}

function startWorker(stateDir: string, role: Role): void {
  const lock = lockStateDirectory(stateDir, role)
  onTestFinished(() => lock.release())
}

it('no run waits where none has begun, where all have ended, and where workers work', async () => {
  const stateDir = temporaryDirectory()
  const nothing = [{ verdict: 'ok', subject: 'runs', detail: 'none is waiting' }]
  expect(await check(stateDir)).toEqual(nothing)
  const detector = await DetectorState.open(stateDir)
  const reader = await ReaderState.open(stateDir)
  await detector.end(await detector.begin(runId(1)))
  const seq = await reader.begin(runId(1), threeOutcomes())
  await reader.complete(seq)
  expect(await check(stateDir)).toEqual(nothing)
  startWorker(stateDir, 'detector')
  startWorker(stateDir, 'reader')
  await detector.begin(runId(2), { processed: 3 })
  await reader.begin(runId(2), threeOutcomes())
  expect(await check(stateDir)).toEqual(nothing)
})

it('a run that was interrupted can be resumed', async () => {
  const stateDir = temporaryDirectory()
  const detector = await DetectorState.open(stateDir)
  await detector.begin(run, { processed: 27, total: 30 })
  expect(await check(stateDir)).toEqual([
    {
      verdict: 'warn',
      subject: 'runs',
      detail: `run ${run} was interrupted after 27 of 30 images`,
      remedy: 'start the detector again: it resumes the run',
    },
  ])
  expect(await check(stateDir, ['reader'])).toMatchObject([{ verdict: 'ok' }])
})

it('a run whose reader is not running waits for it', async () => {
  const stateDir = temporaryDirectory()
  const reader = await ReaderState.open(stateDir)
  await reader.setEnd(await reader.begin(run, threeOutcomes()), { count: 5 })
  expect(await check(stateDir)).toMatchObject([
    {
      verdict: 'warn',
      detail: `run ${run} waits for the reader, which is not running: 3 of 5 cars are read`,
      remedy: 'start the reader',
    },
  ])
})

it('a run says itself what it waits for', async () => {
  const stateDir = temporaryDirectory()
  const reader = await ReaderState.open(stateDir)
  startWorker(stateDir, 'reader')
  const wait = async (waiting: string) => {
    const seq = await reader.begin(run)
    await reader.database.commit(() => reader.runs.setProgress(seq, { perSecond: 0, waiting, requests: {} }))
    return check(stateDir)
  }
  const messages = `run ${run}: 2 of 5 messages have not come and the queue is empty; send them again`
  expect(await wait(messages)).toMatchObject([{ verdict: 'warn', detail: messages }])
  expect(await wait('disk full')).toMatchObject([{ verdict: 'warn', detail: `run ${run}: disk full` }])
})

it('a directory that cannot be read is not checked', async () => {
  expect(await check('/dev/null')).toMatchObject([
    { verdict: 'skip', detail: expect.stringMatching(/^not checked: .* is a file/) },
  ])
})
