import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findRun } from '../../src/report/find-run.ts'
import { linesOf, readRun } from '../../src/report/read-run.ts'
import { ReaderState, runId } from '../status/state-fixture.ts'
import {
  exampleRun,
  failed,
  resultsPath,
  temporaryDirectory,
  withoutText,
  withText,
  writeResults,
  writeUnfinished,
} from './run-fixture.ts'

const many = 1000
const [runA, runB, runC, runD] = [runId(1), runId(2), runId(3), runId(4)]

/** Complete runs in this order of publication, with their results. */
async function publish(stateDir: string, ...runs: string[]): Promise<void> {
  const state = await ReaderState.open(stateDir)
  for (const run of runs) {
    await writeResults(stateDir, [], { run })
    await state.complete(await state.begin(run))
  }
  await state.database.close()
}

async function read(stateDir: string, maxImages = many) {
  return readRun(stateDir, await findRun(stateDir), maxImages)
}

describe('which run', () => {
  test('the one that results.txt shows: it began last, whenever it was published and whatever is unfinished', async () => {
    const stateDir = await temporaryDirectory()
    await publish(stateDir, runB, runC, runA)
    await writeUnfinished(stateDir, runD, [])
    expect(await findRun(stateDir)).toEqual({ kind: 'results', run: runC, path: resultsPath(stateDir, runC) })
  })

  test.each([
    ['without a database', async (stateDir: string) => rm(join(stateDir, 'reader.sqlite'))],
    [
      'with a corrupt database',
      async (stateDir: string) => writeFile(join(stateDir, 'reader.sqlite'), 'x'.repeat(5000)),
    ],
    [
      'whose results are the last of the database',
      async (stateDir: string) => rm(resultsPath(stateDir, runB)),
    ],
  ])('the one completed last, by the results, %s', async (_, spoil) => {
    const stateDir = await temporaryDirectory()
    await publish(stateDir, runA, runB)
    await writeResults(stateDir, [], { run: runA, finishedAt: '2026-11-22T18:00:00.000Z' })
    await writeResults(stateDir, [], { run: runC, finishedAt: '2026-11-22T19:00:00.000Z' })
    await writeResults(stateDir, [], { run: runD, finishedAt: '2026-11-22T17:00:00.000Z' })
    await spoil(stateDir)
    expect(await findRun(stateDir)).toMatchObject({ kind: 'results', run: runC })
  })

  test('the one named, also when it is not finished', async () => {
    const stateDir = await temporaryDirectory()
    await publish(stateDir, runA, runB)
    await writeUnfinished(stateDir, runD, [])
    expect(await findRun(stateDir, runA)).toMatchObject({ kind: 'results', run: runA })
    expect(await findRun(stateDir, runD)).toEqual({ kind: 'database', run: runD })
  })

  test('without any results, the newest unfinished one', async () => {
    const stateDir = await temporaryDirectory()
    await writeUnfinished(stateDir, runB, [])
    await writeUnfinished(stateDir, runA, [])
    expect(await findRun(stateDir)).toEqual({ kind: 'database', run: runA })
  })

  test('no run at all is an error that says what to do', async () => {
    const stateDir = await temporaryDirectory()
    await mkdir(join(stateDir, 'runs', runA), { recursive: true })
    await expect(findRun(stateDir)).rejects.toThrow(/no runs in .*imgpipe detect/)
  })

  test.each(['../runs/x', 'x', runB])('there is no run %s', async (name) => {
    const stateDir = await temporaryDirectory()
    await publish(stateDir, runA)
    await writeResults(join(stateDir, 'runs'), [], { run: 'x' })
    await expect(findRun(stateDir, name)).rejects.toMatchObject({
      exitCode: 64,
      message: expect.stringContaining(`no results of a run "${name}"`),
    })
  })

  test('a corrupt database is reported when there are no results either', async () => {
    const stateDir = await temporaryDirectory()
    await writeFile(join(stateDir, 'reader.sqlite'), 'x'.repeat(5000))
    await expect(findRun(stateDir)).rejects.toMatchObject({ exitCode: 74 })
  })
})

describe('what a run consists of', () => {
  test('its facts, its outcomes and its images', async () => {
    const stateDir = await temporaryDirectory()
    await writeResults(stateDir, [withText(1, ['YHI9', 'OTZ']), withoutText(2), failed(3, 'gone')])
    const data = await read(stateDir)
    expect(data).toMatchObject({ isFinished: true, outcomes: { text: 1, 'no-text': 1, failed: 1 }, lines: 2 })
    expect(data.facts).toMatchObject({
      bucket: 'images',
      label: 'Car',
      images: 9,
      detectorFailed: 2,
      detectorFailures: [{ key: 'empty.jpg', reason: 'the object is empty' }],
      calls: { DetectText: 3 },
      reused: 1,
      requests: { DetectText: 5, GetObject: 4 },
      finishedAt: Date.UTC(2026, 10, 22, 17, 45, 21),
    })
    expect(data.images.map(({ key }) => key)).toEqual(['1.jpg', '2.jpg', '3.jpg'])
    const [first] = data.images
    expect(first && linesOf(first)[0]).toMatchObject({ text: 'YHI9', confidence: 99.1 })
  })

  test('only the first images are kept, and all are counted', async () => {
    const stateDir = await temporaryDirectory()
    await writeResults(
      stateDir,
      Array.from({ length: 500 }, (_, i) => withText(i + 1, ['A'])),
    )
    const data = await read(stateDir, 20)
    expect(data.images).toHaveLength(20)
    expect(data).toMatchObject({ lines: 500, outcomes: { text: 500 } })
  })

  test('a run without any image', async () => {
    const stateDir = await temporaryDirectory()
    await writeResults(stateDir, [], { count: 0 })
    expect(await read(stateDir)).toMatchObject({ images: [], lines: 0 })
  })

  test('a key with line separators is one record', async () => {
    const stateDir = await temporaryDirectory()
    const key = 'a\u2028b\u2029c\u0085d\re.jpg'
    await writeResults(stateDir, [withText(1, ['A'], key)])
    expect((await read(stateDir)).images[0]?.key).toBe(key)
  })

  test.each([
    ['without a number', '{"n":"../x","key":"k","at":1,"outcome":"no-text"}'],
    ['without a key', '{"n":2,"key":7,"at":1,"outcome":"no-text"}'],
    ['with an unknown outcome', '{"n":2,"key":"k","at":1,"outcome":"maybe"}'],
    ['that is not JSON', '{"n":2'],
  ])('an outcome %s is an error that names the file', async (_, line) => {
    const stateDir = await temporaryDirectory()
    await writeResults(stateDir, [withText(1, ['A'])])
    const source = await findRun(stateDir)
    const path = resultsPath(stateDir)
    await writeFile(path, `{"run":"${exampleRun}","bucket":"b","label":"Car",\n"outcomes":[\n${line}\n]}\n`)
    await expect(readRun(stateDir, source, many)).rejects.toThrow(path)
  })

  test.each(['', '[]\n', '{}\n"outcomes":[\n]}\n', `{"run":"${exampleRun}"\n`])(
    'a file that is not results.json is an error that names it: %o',
    async (content) => {
      const stateDir = await temporaryDirectory()
      await writeResults(stateDir, [])
      await writeFile(resultsPath(stateDir), content)
      await expect(findRun(stateDir, exampleRun)).rejects.toThrow(resultsPath(stateDir))
    },
  )

  test('a truncated file is an error', async () => {
    const stateDir = await temporaryDirectory()
    await writeResults(stateDir, [withText(1, ['A'])])
    const whole = resultsPath(stateDir)
    const source = await findRun(stateDir)
    await writeFile(whole, `{"run":"${exampleRun}","bucket":"b","label":"Car",\n"outcomes":[\n`)
    await appendFile(whole, `${JSON.stringify(withoutText(1))}\n`)
    await expect(readRun(stateDir, source, many)).rejects.toThrow(whole)
  })

  test('boxes and lines that make no sense are left out', async () => {
    const stateDir = await temporaryDirectory()
    const strange = { ...withText(1, ['A']), boxes: [[0, 0, 1, 1], [1, 2], 'x'], lines: [{ text: 7 }, null] }
    await writeResults(stateDir, [strange as never])
    const [image] = (await read(stateDir)).images
    expect(image).toMatchObject({ boxes: [[0, 0, 1, 1]], lines: [] })
  })
})

describe('an unfinished run', () => {
  test('consists of what is in the database, in natural order of the keys, each image once', async () => {
    const stateDir = await temporaryDirectory()
    const outcomes = [withText(3, ['C'], '10.jpg'), withText(1, ['A'], '2.jpg'), withoutText(7, '10.jpg')]
    await writeUnfinished(stateDir, runD, outcomes)
    const data = await read(stateDir)
    expect(data).toMatchObject({
      run: runD,
      isFinished: false,
      outcomes: { text: 2, 'no-text': 0, failed: 0 },
      facts: { count: undefined, bucket: undefined, calls: { DetectText: 3 } },
    })
    expect(data.images.map(({ key }) => key)).toEqual(['2.jpg', '10.jpg'])
  })

  test('knows how many there will be once the end message has come', async () => {
    const stateDir = await temporaryDirectory()
    const failures = [{ key: 'a', reason: 'empty' }]
    await writeUnfinished(stateDir, runD, [withText(1, ['A'])], {
      count: 12,
      images: 20,
      failed: 1,
      failures,
    })
    const { facts } = await read(stateDir)
    expect(facts).toMatchObject({ count: 12, images: 20, detectorFailed: 1, detectorFailures: failures })
  })
})
