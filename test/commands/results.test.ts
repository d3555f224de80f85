import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeResults } from '../../src/report/run-results.ts'
import {
  type ResultsHead,
  resultsJsonEnd,
  resultsJsonOutcome,
  resultsJsonStart,
} from '../../src/results/format.ts'
import { publishRun, runDirectory } from '../../src/results/publish.ts'
import { ReaderState, runId, temporaryDirectory, threeOutcomes } from '../status/state-fixture.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { imgpipe } from './imgpipe.ts'

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

function headOf(run: string, count: number): ResultsHead {
  const counts = {
    count,
    images: 9,
    detectorFailed: 0,
    detectorFailures: [],
    texts: 1,
    failures: 1,
    reused: 0,
  }
  return { run, bucket: 'images', label: 'Car', finishedAt: '', calls: {}, requests: {}, ...counts }
}

/** Runs 1 and 2 are complete, run 3 is open with two of its images. */
async function threeRuns(): Promise<{ stateDir: string; reader: ReaderState; open: number }> {
  const stateDir = temporaryDirectory()
  const reader = await ReaderState.open(stateDir)
  for (const n of [1, 2]) {
    const seq = await reader.begin(runId(n), threeOutcomes())
    await publishRun(stateDir, headOf(runId(n), 3), threeOutcomes())
    await reader.complete(seq)
  }
  return { stateDir, reader, open: await reader.begin(runId(3), threeOutcomes().slice(0, 2)) }
}

describe('imgpipe results', () => {
  it('prints the run that results.txt shows, another one, or so far the one that is open', async () => {
    const { stateDir } = await threeRuns()
    const environment = { IMGPIPE_STATE_DIR: stateDir }
    const printed = async (...words: string[]) =>
      JSON.parse((await imgpipe(['results', '--format', 'json', ...words], environment)).text)
    expect(await printed()).toMatchObject({ run: runId(2), isFinished: true, bucket: 'images', count: 3 })
    expect(await printed(runId(1))).toMatchObject({ run: runId(1), isFinished: true })
    const partial = { run: runId(3), isFinished: false, bucket: null, count: null }
    expect(await printed('--partial')).toMatchObject({
      ...partial,
      results: [{ key: '1.jpg' }, { key: '2.jpg' }],
    })
    expect(await printed('--partial', runId(3))).toMatchObject(partial)
    expect(await printed('--partial', runId(1))).toMatchObject({ run: runId(1), isFinished: true })
    expect((await imgpipe(['results'], environment)).text).toBe('1.jpg: YHI9 OTZ\n')
  })

  it.each([
    [[runId(3)], `Run ${runId(3)} is not finished: "imgpipe results --partial ${runId(3)}" prints`],
    [[runId(4)], `There are no results of a run "${runId(4)}"`],
    [['../../etc'], 'There are no results of a run "../../etc"'],
    [['--format', 'xml'], 'Allowed choices are txt, csv, json, jsonl'],
    [[runId(1), runId(2)], 'too many arguments'],
  ])('%o is rejected in a sentence', async (words, sentence) => {
    const { stateDir } = await threeRuns()
    const { code, text } = await imgpipe(['results', ...words], { IMGPIPE_STATE_DIR: stateDir })
    expect([code, text]).toEqual([64, expect.stringContaining(sentence)])
  })

  it('says that there are no runs yet', async () => {
    const { code, text } = await imgpipe(['results', '--partial'], {
      IMGPIPE_STATE_DIR: temporaryDirectory(),
    })
    expect([code, text]).toEqual([64, expect.stringMatching(/^imgpipe: There are no runs in /)])
  })

  it('does not take a run for read that was finished meanwhile', async () => {
    const { stateDir, reader, open } = await threeRuns()
    const reading = writeResults({ stateDir, run: undefined, format: 'jsonl', partial: true }, () =>
      reader.complete(open),
    )
    await expect(reading).rejects.toMatchObject({
      reason: 'interrupted',
      message: expect.stringContaining('was finished while it was read'),
    })
  })

  it('needs little memory, however many images there are', async () => {
    const stateDir = temporaryDirectory()
    const count = 200_000
    await mkdir(runDirectory(stateDir, runId(1)), { recursive: true })
    const file = createWriteStream(join(runDirectory(stateDir, runId(1)), 'results.json'))
    file.write(resultsJsonStart(headOf(runId(1), count)))
    const lines = [{ text: 'YHI9 OTZ '.repeat(10), confidence: 99, polygon: [] }]
    for (let n = 1; n <= count; n++) {
      const outcome = { n, key: `images/${n}.jpg`, at: 0, outcome: 'text', lines } as const
      if (!file.write(resultsJsonOutcome(outcome, n === 1))) await once(file, 'drain')
    }
    file.end(resultsJsonEnd)
    await once(file, 'close')
    const environment = { IMGPIPE_STATE_DIR: stateDir, NODE_OPTIONS: '--max-old-space-size=32' }
    const { code, lines: printed } = await imgpipe(['results', '--format', 'jsonl'], environment)
    expect([code, printed.length]).toEqual([0, count])
  })
})
