import { appendFile, mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findRun } from '../../src/report/find-run.ts'
import { readRun } from '../../src/report/read-run.ts'
import {
  exampleHead,
  failed,
  subject,
  temporaryFolder,
  withoutText,
  withText,
  writeLedger,
  writeResults,
} from './run-fixture.ts'

const many = 1000
const checkpoint = { recorded: 1, texts: 1, failures: 0, at: 1 }

describe('which run', () => {
  test('the one that finished last, whatever its name and whatever is at work', async () => {
    const stateDir = await temporaryFolder()
    await writeResults(stateDir, [], { run: 'b', finishedAt: '2026-11-22T18:00:00.000Z' })
    await writeResults(stateDir, [], { run: 'a', finishedAt: '2026-11-22T19:00:00.000Z' })
    await writeResults(stateDir, [], { run: 'c', finishedAt: '2026-11-22T17:00:00.000Z' })
    await writeLedger(stateDir, 'd', [])
    expect(await findRun(stateDir)).toMatchObject({ run: 'a', finished: true })
  })

  test('the one named, also when it is not finished', async () => {
    const stateDir = await temporaryFolder()
    await writeResults(stateDir, [], { run: 'a' })
    await writeLedger(stateDir, 'd', [])
    expect(await findRun(stateDir, 'd')).toMatchObject({ run: 'd', finished: false })
  })

  test('where none has finished, the one last worked on', async () => {
    const stateDir = await temporaryFolder()
    await writeLedger(stateDir, 'x', [])
    await writeLedger(stateDir, 'y', [])
    await utimes(join(stateDir, 'runs/y/ledger.ndjson'), 1000, 1000)
    expect(await findRun(stateDir)).toMatchObject({ run: 'x', finished: false })
  })

  test('a folder without outcomes is no run, and no run is an error that says what to do', async () => {
    const stateDir = await temporaryFolder()
    await mkdir(join(stateDir, 'runs/empty'), { recursive: true })
    await expect(findRun(stateDir)).rejects.toThrow(/no run under .* start imgpipe detect/)
  })

  test('a name that leads out of the folder names no run', async () => {
    const stateDir = await temporaryFolder()
    await writeResults(stateDir, [], { run: 'a' })
    await writeResults(join(stateDir, 'runs'), [], { run: 'x' })
    await expect(findRun(stateDir, '../runs/runs/x')).rejects.toThrow(
      /no run "\.\.\/runs\/runs\/x".*latest are a/,
    )
  })
})

describe('what a run tells', () => {
  test('its facts, its outcomes and its pictures', async () => {
    const stateDir = await temporaryFolder()
    await writeResults(stateDir, [withText(1, ['YHI9', 'OTZ']), withoutText(2), failed(3, 'gone')])
    const story = await readRun(await findRun(stateDir), many)
    expect(story).toMatchObject({ finished: true, outcomes: { text: 1, 'no-text': 1, failed: 1 }, texts: 2 })
    expect(story.facts).toMatchObject({ bucket: 'pictures', label: 'Car', images: 9, detectorFailed: 1 })
    expect(story.facts.calls.get('DetectText')).toBe(4)
    expect(story.pictures.map(({ key }) => key)).toEqual(['1.jpg', '2.jpg', '3.jpg'])
    expect(story.pictures[0]?.lines[0]).toMatchObject({ text: 'YHI9', confidence: 99.1 })
  })

  test('only the first pictures are kept, and all are counted', async () => {
    const stateDir = await temporaryFolder()
    await writeResults(
      stateDir,
      Array.from({ length: 500 }, (_, i) => withText(i + 1, ['A'])),
    )
    const story = await readRun(await findRun(stateDir), 20)
    expect(story.pictures).toHaveLength(20)
    expect(story).toMatchObject({ texts: 500, outcomes: { text: 500 } })
  })

  test('a run without any picture', async () => {
    const stateDir = await temporaryFolder()
    await writeResults(stateDir, [], { count: 0 })
    expect(await readRun(await findRun(stateDir), many)).toMatchObject({ pictures: [], texts: 0 })
  })

  test('a key with line separators is one record', async () => {
    const stateDir = await temporaryFolder()
    const key = 'a\u2028b\u2029c\u0085d\re.jpg'
    await writeResults(stateDir, [withText(1, ['A'], key)])
    expect((await readRun(await findRun(stateDir), many)).pictures[0]?.key).toBe(key)
  })

  test('a file that is not as the reader wrote it is an error that names it', async () => {
    const stateDir = await temporaryFolder()
    const run = await writeResults(stateDir, [withText(1, ['A'])])
    const file = join(stateDir, 'runs', run, 'results.json')
    await appendFile(file, '{"n":2,"key":7}\n')
    await expect(readRun({ run, file, finished: true }, many)).rejects.toThrow(file)
    await writeFile(file, '[]')
    await expect(readRun({ run, file, finished: true }, many)).rejects.toThrow(file)
  })

  test('boxes and lines that make no sense are left out', async () => {
    const stateDir = await temporaryFolder()
    const strange = { ...withText(1, ['A']), boxes: [[0, 0, 1, 1], [1, 2], 'x'], lines: [{ text: 7 }, null] }
    await writeResults(stateDir, [strange as never])
    const [picture] = (await readRun(await findRun(stateDir), many)).pictures
    expect(picture).toMatchObject({ boxes: [[0, 0, 1, 1]], lines: [] })
  })
})

describe('a run at work', () => {
  test('tells from its ledger what is there: in order, each picture once, without the torn line', async () => {
    const stateDir = await temporaryFolder()
    const lines = [
      withText(3, ['C']),
      { ...checkpoint, calls: { DetectText: 1 } },
      withText(1, ['A']),
      { ...withoutText(3), at: 2 },
      { ...checkpoint, calls: { DetectText: 2 } },
    ]
    await writeLedger(stateDir, 'w', lines, '{"outcome":"text","n":4,"ke')
    const story = await readRun(await findRun(stateDir), many)
    expect(story).toMatchObject({ finished: false, outcomes: { text: 2, 'no-text': 0, failed: 0 } })
    expect(story.pictures.map(({ n }) => n)).toEqual([1, 3])
    expect(story.facts).toMatchObject({ count: undefined, bucket: exampleHead.bucket })
    expect(story.facts.calls).toEqual(new Map([['DetectText', 2]]))
  })

  test('knows how many there will be once the end message has come', async () => {
    const stateDir = await temporaryFolder()
    const end = { end: { count: 12, images: 20, failed: 1, abandoned: true }, at: subject(1).at }
    await writeLedger(stateDir, 'w', [withText(1, ['A']), end])
    const { facts } = await readRun(await findRun(stateDir), many)
    expect(facts).toMatchObject({ count: 12, images: 20, detectorFailed: 1, abandoned: true })
  })
})
