import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runDirectory } from '../../src/results/publish.ts'
import { deleteRun } from '../../src/state/delete-run.ts'
import { lockStateDirectory } from '../../src/state/lock.ts'
import { readHostStatus } from '../../src/state/run-status.ts'
import {
  DetectorState,
  ReaderState,
  runId,
  settings,
  temporaryDirectory,
  threeOutcomes,
} from '../status/state-fixture.ts'
import { imgpipe } from './imgpipe.ts'

const all = { keepRuns: 1_000_000, maxFailures: 0 }

async function listed(stateDir: string): Promise<string[]> {
  return (await readHostStatus(stateDir, all)).runs.map(({ run }) => run)
}

/** Both workers' databases with complete runs 1 to `count`, and their results. */
async function completeRuns(count: number) {
  const stateDir = temporaryDirectory()
  const [detector, reader] = [await DetectorState.open(stateDir), await ReaderState.open(stateDir)]
  for (let n = 1; n <= count; n++) {
    const seq = await detector.begin(runId(n))
    await detector.database.commit(() => detector.runs.addFailure(seq, { key: 'a', reason: 'empty' }))
    await detector.end(seq)
    await reader.complete(await reader.begin(runId(n), threeOutcomes()))
    await mkdir(runDirectory(stateDir, runId(n)), { recursive: true })
    await writeFile(join(runDirectory(stateDir, runId(n)), 'results.txt'), '')
  }
  return { stateDir, detector, reader }
}

describe('imgpipe runs', () => {
  it('lists the runs, newest first, for people and programs', async () => {
    const { stateDir } = await completeRuns(2)
    const environment = { IMGPIPE_STATE_DIR: stateDir }
    const { code, lines } = await imgpipe(['runs'], environment)
    expect(code).toBe(0)
    expect(lines).toEqual([
      expect.stringMatching(/^run +started +detector +reader +images +cars +texts +failed$/),
      expect.stringMatching(`^${runId(2)} .* done +complete +0 +0 +1 +1$`),
      expect.stringMatching(`^${runId(1)} .* done +complete +0 +0 +1 +1$`),
    ])
    const json = JSON.parse((await imgpipe(['runs', '--json'], environment)).text)
    expect(json).toMatchObject([
      { run: runId(2), detector: { state: 'done' }, reader: { state: 'complete' } },
      { run: runId(1) },
    ])
  })

  it('deletes a run with its results while both workers have their databases open and write', async () => {
    const { stateDir, detector, reader } = await completeRuns(3)
    const seq = await reader.begin(runId(4), threeOutcomes())
    const progress = { perSecond: 1, waiting: undefined, requests: {} }
    let isDeleted = false
    const writing = async () => {
      while (!isDeleted) await reader.database.commit(() => reader.runs.setProgress(seq, progress))
    }
    const written = writing()
    const ended = await imgpipe(['runs', '--delete', runId(2)], { IMGPIPE_STATE_DIR: stateDir })
    isDeleted = true
    await written
    expect(ended).toMatchObject({ code: 0, text: `Deleted run ${runId(2)}.\n` })
    expect(await listed(stateDir)).toEqual([runId(4), runId(3), runId(1)])
    expect(existsSync(runDirectory(stateDir, runId(2)))).toBe(false)
    expect(detector.runs.get(runId(2))).toBeUndefined()
    expect(detector.runs.countFailures(2)).toBe(0)
    expect(detector.runs.countFailures(3)).toBe(1)
    await detector.begin(runId(5))
    expect(await listed(stateDir)).toEqual([runId(5), runId(4), runId(3), runId(1)])
  })

  it('keeps a deleted run closed for the reader: SQS may deliver its messages once more', async () => {
    const { stateDir, reader } = await completeRuns(2)
    await deleteRun(stateDir, runId(1), async () => undefined)
    expect((await reader.runs.begin(runId(1))).state).toBe('complete')
    expect(await listed(stateDir)).toEqual([runId(2)])
    expect(await deleteRun(stateDir, runId(1), async () => undefined)).toBe(false)
  })

  it('deletes an abandoned run', async () => {
    const { stateDir, detector, reader } = await completeRuns(1)
    await detector.end(await detector.begin(runId(2)), 'abandoned')
    const seq = await reader.begin(runId(2), threeOutcomes())
    await reader.database.commit(() => reader.runs.setAbandoned(seq))
    expect(await deleteRun(stateDir, runId(2), async () => undefined)).toBe(true)
    expect(await listed(stateDir)).toEqual([runId(1)])
    const newest = await readHostStatus(stateDir, { ...all, maxRuns: 1 })
    expect(newest.runs.map(({ run }) => run)).toEqual([runId(1)])
  })

  it.each([
    {
      why: "not finished on this host's detector",
      make: ({ detector }: { detector: DetectorState }) => detector.begin(runId(9)),
    },
    {
      why: 'the one that results.txt shows',
      make: async ({ reader }: { reader: ReaderState }) => reader.complete(await reader.begin(runId(9))),
    },
  ])('does not delete a run that is $why', async ({ why, make }) => {
    const state = await completeRuns(1)
    await make(state)
    const { code, lines } = await imgpipe(['runs', '--delete', runId(9)], {
      IMGPIPE_STATE_DIR: state.stateDir,
    })
    expect([code, lines]).toEqual([64, [expect.stringContaining(`Run ${runId(9)} is ${why}`)]])
    expect(await listed(state.stateDir)).toEqual([runId(9), runId(1)])
  })

  it('gives up a run that is not complete while the reader is stopped; its messages begin no new one', async () => {
    const { stateDir, reader } = await completeRuns(1)
    const seq = await reader.begin(runId(9), threeOutcomes())
    await reader.setEnd(seq, { count: 4 })
    const remove = () => imgpipe(['runs', '--delete', runId(9)], { IMGPIPE_STATE_DIR: stateDir })
    const lock = lockStateDirectory(stateDir, 'reader')
    const sentence = `Run ${runId(9)} is not complete, and the reader that is running has it open: stop the reader`
    expect(await remove()).toMatchObject({ code: 64, lines: [expect.stringContaining(sentence)] })
    expect(await listed(stateDir)).toEqual([runId(9), runId(1)])
    lock.release()
    expect(await remove()).toMatchObject({ code: 0, text: `Deleted run ${runId(9)}.\n` })
    expect(await listed(stateDir)).toEqual([runId(1)])
    expect((await reader.runs.begin(runId(9))).state).toBe('complete')
    expect(reader.runs.countOutcomes(seq, 9)).toBe(0)
    expect(reader.runs.latest()?.run).toBe(runId(1))
  })

  it.each([runId(7), '../state', 'x'])('says that there is no run %s', async (id) => {
    const { stateDir } = await completeRuns(1)
    const { code, lines } = await imgpipe(['runs', '--delete', id], { IMGPIPE_STATE_DIR: stateDir })
    expect([code, lines]).toEqual([64, [expect.stringContaining(`There is no run "${id}"`)]])
    expect(await listed(stateDir)).toEqual([runId(1)])
  })

  it('keeps a run whose files cannot be deleted, so that it can be tried again', async () => {
    const { stateDir } = await completeRuns(2)
    const failing = deleteRun(stateDir, runId(1), () => Promise.reject(new Error('EACCES')))
    await expect(failing).rejects.toThrow('EACCES')
    expect(await listed(stateDir)).toEqual([runId(2), runId(1)])
  })
})

describe('10,000 runs', () => {
  const count = 10_000

  it('are listed, and retention leaves the newest', async () => {
    const stateDir = temporaryDirectory()
    const [detector, reader] = [await DetectorState.open(stateDir), await ReaderState.open(stateDir)]
    const begun = { settings, fresh: false, at: Date.now(), queueCreatedAt: undefined }
    const rows = await Promise.all(
      Array.from({ length: count }, (_, n) => detector.runs.begin(runId(n), begun)),
    )
    await detector.database.commit(() => {
      // The newest one is unfinished.
      for (const { seq } of rows.slice(0, -1)) detector.runs.setState(seq, 'done')
    })
    await reader.database.commit(() => {
      for (let n = 0; n < count - 1; n++) reader.runs.setComplete(reader.runs.insert(runId(n)))
    })
    const newest = (n: number) => Array.from({ length: n }, (_, i) => runId(count - 1 - i))
    expect(await listed(stateDir)).toEqual(newest(count))
    const { runs } = await readHostStatus(stateDir, { ...all, maxRuns: 5 })
    expect(runs.map(({ run }) => run)).toEqual(newest(5))
    const { code, lines } = await imgpipe(['runs'], {
      IMGPIPE_STATE_DIR: stateDir,
      IMGPIPE_KEEP_RUNS: String(count),
    })
    expect([code, lines.length]).toEqual([0, count + 1])

    const pruned = await detector.runs.prune(100)
    expect(pruned).toEqual(newest(count).slice(101))
    expect(await reader.runs.prune(100)).toEqual(pruned)
    const kept = await readHostStatus(stateDir, { keepRuns: 100, maxFailures: 0 })
    expect(kept.runs.map(({ run }) => run)).toEqual(newest(101))
    expect(kept.runs.map(({ detector, reader }) => [detector?.state, reader?.state])).toEqual([
      ['interrupted', undefined],
      ...newest(100).map(() => ['done', 'complete']),
    ])
  })
})
