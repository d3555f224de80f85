import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { resumeOrAbandonRuns, unchangedSince } from '../../src/detector/earlier-runs.ts'
import type { RunPlan } from '../../src/detector/plan.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { type DetectorRunRow, DetectorRuns, type RunSettings } from '../../src/state/detector-runs.ts'
import type { WorkerContext } from '../../src/state/worker.ts'
import { FakeService, jsonError } from '../aws/fake-service.ts'
import { TestDatabase } from '../state/test-database.ts'

const settings = {
  bucket: 'bucket',
  prefix: '',
  maxImages: 0,
  label: 'Car',
  minConfidence: 90,
  queue: 'imgpipe',
  region: 'eu-central-1',
  reuseAnswers: true,
}
const { reuseAnswers: _, ...runSettings } = settings
const rowOf = (seq: number | undefined) =>
  seq === undefined ? undefined : ({ seq, run: `run ${seq}`, settings: runSettings } as DetectorRunRow)
const newCar = { key: '1.jpg', etag: 'e', sizeBytes: 1, confidence: 95, boxes: [] }
const ignore = () => undefined
const silentLog = { error: ignore, warn: ignore, info: ignore, debug: ignore }
const same = { isSameSet: true, calls: 0 } as RunPlan

describe('nothing is new', () => {
  test.each<
    [string, Partial<typeof settings>, Partial<RunPlan>, number | undefined, number | undefined, boolean]
  >([
    ['since the run that the readers show', {}, {}, 1, 1, true],
    ['but another bucket or prefix was shown since', {}, {}, 1, 2, false],
    ['but there was no run', {}, {}, undefined, undefined, false],
    ['but other images are there', {}, { isSameSet: false }, 1, 1, false],
    ['but something is to be asked', {}, { calls: 1 }, 1, 1, false],
    ['but a setting is another one', { label: 'Truck' }, {}, 1, 1, false],
    ['but every run asks anew', { reuseAnswers: false }, {}, 1, 1, false],
  ])('%s', (_, change, plan, lastDone, lastEnd, expected) => {
    const runs = { lastDone: () => rowOf(lastDone), lastEnd: () => rowOf(lastEnd)?.run }
    const found = unchangedSince(runs, { ...settings, ...change }, { ...same, ...plan })
    expect(found?.run).toBe(expected ? 'run 1' : undefined)
  })
})

describe('an unfinished run', () => {
  let files: TestDatabase
  beforeEach(() => {
    files = new TestDatabase('detector')
  })
  afterEach(() => files.delete())

  /** A worker whose queue is gone, with one unfinished run. */
  async function start(of: Partial<RunSettings> & { fresh?: boolean } = {}) {
    const database = await files.open()
    const runs = new DetectorRuns(database)
    const { fresh = false, ...change } = of
    const begun = { settings: { ...runSettings, ...change }, fresh, at: 0, queueCreatedAt: undefined }
    const row = await runs.begin('run 1', begun)
    const lines: string[] = []
    const log = { ...silentLog, warn: (line: string) => lines.push(line) }
    const { signal } = new AbortController()
    const decide = async (wanted = { settings: runSettings, fresh: false }) => {
      const missing = 'com.amazonaws.sqs#QueueDoesNotExist'
      await using fake = await FakeService.start(() => jsonError(400, missing))
      const context = {
        clients: fake.clients,
        database,
        settings: { ...settings },
        log,
        outages: new OutageLog(log),
        shutdown: { graceful: signal, forced: signal },
      }
      const resumed = await resumeOrAbandonRuns(context as unknown as WorkerContext, runs, wanted)
      return { resumed: resumed?.run, state: runs.get('run 1')?.state, lines }
    }
    const addCar = (key = '1.jpg') => database.commit(() => runs.addCar(row.seq, { ...newCar, key }))
    const loseFirstCar = () => database.commit(() => database.prepare('DELETE FROM cars WHERE n = 1').run())
    return { decide, addCar, loseFirstCar }
  }

  test('with these settings is resumed', async () => {
    const { decide, addCar } = await start()
    await addCar()
    expect(await decide()).toEqual({ resumed: 'run 1', state: 'open', lines: [] })
  })

  test.each<[string, Parameters<typeof start>[0], boolean, RegExp]>([
    ['with other settings', { prefix: 'a/' }, false, /abandoning unfinished run run 1: .*different settings/],
    ['that was not fresh, when all is asked again', {}, true, /every image is to be analysed again/],
  ])('%s is abandoned, even if nobody can be told', async (_, of, fresh, line) => {
    const { decide } = await start(of)
    const { resumed, state, lines } = await decide({ settings: runSettings, fresh })
    expect([resumed, state]).toEqual([undefined, 'abandoned'])
    expect(lines).toEqual([expect.stringMatching(line), expect.stringMatching(/no reader could be told/)])
  })

  test.each([false, true])('that has lost images is abandoned, fresh or not: %s', async (fresh) => {
    const { decide, addCar, loseFirstCar } = await start({ fresh })
    await addCar('1.jpg')
    await addCar('2.jpg')
    await loseFirstCar()
    const { resumed, state, lines } = await decide({ settings: runSettings, fresh })
    expect([resumed, state]).toEqual([undefined, 'abandoned'])
    expect(lines[0]).toContain('the database has lost images of it')
  })
})
