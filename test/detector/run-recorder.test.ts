import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Clients } from '../../src/aws/clients.ts'
import type { KeptLabels } from '../../src/detector/labels.ts'
import type { Progress } from '../../src/detector/progress.ts'
import { RunRecorder } from '../../src/detector/run-recorder.ts'
import { type Answer, AnswerStore } from '../../src/state/answers.ts'
import { CallTally, DailyCalls } from '../../src/state/calls.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { type DetectorRunRow, DetectorRuns } from '../../src/state/detector-runs.ts'
import { TestDatabase } from '../state/test-database.ts'

let files: TestDatabase
let database: StateDatabase
let runs: DetectorRuns
let row: DetectorRunRow

const settings = {
  bucket: 'bucket',
  prefix: '',
  maxImages: 0,
  label: 'Car',
  minConfidence: 90,
  queue: 'imgpipe',
  region: 'eu-central-1',
}

beforeEach(async () => {
  files = new TestDatabase('detector')
  database = await files.open()
  runs = new DetectorRuns(database)
  row = await runs.begin('a', { settings, fresh: false, at: 0, queueCreatedAt: undefined })
})

afterEach(() => files.delete())

const object = (key: string) => ({ key, etag: 'e', size: 1, storageClass: undefined })
const car: Answer<KeptLabels> = { kind: 'answer', model: '3.0', content: [['Car', 99, []]] }

/** @param commit of the database that the recorder writes to */
function recorder(commit: StateDatabase['commit'] = (write) => database.commit(write)): RunRecorder {
  const progress = { run: () => {}, decided: () => {}, perSecond: 0 } as unknown as Progress
  return new RunRecorder({
    row,
    database: { commit } as StateDatabase,
    runs,
    answers: new AnswerStore(database, 'bucket', 'DetectLabels'),
    calls: new DailyCalls(database, { region: 'r', maxCallsPerDay: 0 }),
    tally: new CallTally(),
    progress,
    clients: { calls: { counts: {} } } as Clients,
  })
}

describe('a commit that is rejected', () => {
  it('leaves no gap in the numbers and counts nothing, and the run can be brought to its end', async () => {
    let isLocked = true
    const run = recorder((write) => {
      if (isLocked) return Promise.reject(new Error('locked'))
      return database.commit(write)
    })
    await expect(run.decide(object('1.jpg'), car, { isNew: true })).rejects.toThrow('locked')
    await expect(run.fail(object('2.jpg'), 'empty')).rejects.toThrow('locked')
    expect(run.counts).toEqual({ count: 0, images: 0, failed: 0 })
    isLocked = false
    expect(await run.decide(object('3.jpg'), car, { isNew: true })).toMatchObject({ key: '3.jpg', n: 1 })
    await run.fixEnd()
    expect(run.counts).toMatchObject({ count: 1, failed: 0 })
    expect(runs.get('a')).toMatchObject({ state: 'ended', cars: 1 })
  })
})

describe('the end of a run', () => {
  it('is not fixed while a number is missing', async () => {
    const run = recorder()
    for (const key of ['1.jpg', '2.jpg']) await run.decide(object(key), car)
    database.prepare('DELETE FROM cars WHERE n = 1').run()
    await expect(run.fixEnd()).rejects.toMatchObject({ reason: 'disk' })
    expect(runs.get('a')?.state).toBe('open')
  })
})
