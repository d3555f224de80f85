import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { type ResultsHead, resultsLine } from '../../src/results/format.ts'
import {
  deleteRunFiles,
  publishCopy,
  publishRun,
  readWritten,
  runDirectory,
  showLatest,
  writeRun,
} from '../../src/results/publish.ts'

let stateDir: string

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'imgpipe-results-'))
})

afterEach(() => {
  rmSync(stateDir, { recursive: true, force: true })
})

const head = (run: string, count = 0): ResultsHead => ({
  run,
  bucket: 'bucket',
  label: 'Car',
  count,
  images: 9,
  detectorFailed: 1,
  detectorFailures: [{ key: 'x', reason: 'gone' }],
  texts: 1,
  failures: 0,
  finishedAt: '2026-11-22T17:45:00.000Z',
  calls: { DetectText: 3 },
  reused: 0,
  requests: { GetObject: 3 },
})

function text(n: number, ...texts: string[]): Outcome & { outcome: 'text' } {
  const lines = texts.map((line) => ({ text: line, confidence: 99, polygon: [[0, 0.5] as const] }))
  return { n, key: `${n}.jpg`, at: n, outcome: 'text', lines }
}

const noText = (n: number): Outcome => ({ n, key: `${n}.jpg`, at: n, outcome: 'no-text' })
const failed = (n: number): Outcome => ({ n, key: `${n}.jpg`, at: n, outcome: 'failed', reason: 'gone' })

const shown = () => readFileSync(join(stateDir, 'results.txt'), 'utf8')
const fileOf = (run: string, name: string) => join(runDirectory(stateDir, run), name)
const contentOf = (run: string, name: string) => readFileSync(fileOf(run, name), 'utf8')
const outcomesOf = (run: string): Outcome[] => JSON.parse(contentOf(run, 'results.json')).outcomes

/** The files below the state directory that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(stateDir) ? [path] : []
    } catch {
      return []
    }
  })
}

describe('publishing a run', () => {
  it('writes its results, and shows those with text', async () => {
    await publishRun(stateDir, head('a', 3), [
      text(1, 'YHI9 OTZ', 'TAXI'),
      noText(2),
      failed(3),
      text(4, '🚗'),
    ])
    expect(shown()).toBe('1.jpg: YHI9 OTZ | TAXI\n4.jpg: 🚗\n')
    expect(contentOf('a', 'results.txt')).toBe(shown())
    expect(JSON.parse(contentOf('a', 'results.json'))).toEqual({
      ...head('a', 3),
      outcomes: [text(1, 'YHI9 OTZ', 'TAXI'), noText(2), failed(3), text(4, '🚗')],
    })
  })

  it('without an outcome shows an empty file', async () => {
    await publishRun(stateDir, head('a'), [])
    expect(shown()).toBe('')
    expect(outcomesOf('a')).toEqual([])
  })

  it('leaves nothing else, and files that anybody may read', async () => {
    await publishRun(stateDir, head('a'), [text(1, 'A')])
    expect(readdirSync(stateDir).sort()).toEqual(['results.txt', 'runs'])
    expect(readdirSync(runDirectory(stateDir, 'a')).sort()).toEqual(['results.json', 'results.txt'])
    for (const path of [
      join(stateDir, 'results.txt'),
      fileOf('a', 'results.json'),
      fileOf('a', 'results.txt'),
    ])
      expect(statSync(path).mode & 0o777).toBe(0o644)
  })

  it('works for many outcomes, of any characters', async () => {
    const outcomes = Array.from({ length: 5_000 }, (_, n) => text(n + 1, '🚗'.repeat(20), 'ü日本'.repeat(3)))
    await publishRun(stateDir, head('a', 5_000), outcomes)
    expect(outcomesOf('a')).toEqual(outcomes)
    expect(shown()).toBe(outcomes.map(resultsLine).join(''))
  })

  it('shows the run that was published last', async () => {
    await publishRun(stateDir, head('a'), [text(1, 'A')])
    await publishRun(stateDir, head('b'), [text(1, 'B')])
    expect(shown()).toBe('1.jpg: B\n')
    await publishRun(stateDir, head('c'), [])
    expect(shown()).toBe('')
    expect(contentOf('a', 'results.txt')).toBe('1.jpg: A\n')
  })

  it('that is not the newest shows nothing of it', async () => {
    const results = { json: Buffer.from('{}'), text: Buffer.from('1.jpg: C') }
    await publishRun(stateDir, head('b'), [text(1, 'B')])
    await publishRun(stateDir, head('a'), [text(1, 'A')], { isNewest: false })
    await publishCopy(stateDir, 'c', results, { isNewest: false })
    expect(shown()).toBe('1.jpg: B\n')
    expect(contentOf('a', 'results.txt')).toBe('1.jpg: A\n')
    expect(contentOf('c', 'results.txt')).toBe('1.jpg: C')
  })

  it('leaves no file open when one of them cannot be created', async () => {
    mkdirSync(join(runDirectory(stateDir, 'a'), 'results.txt.tmp'), { recursive: true })
    await expect(writeRun(stateDir, head('a'), [])).rejects.toThrow('EISDIR')
    expect(openFiles()).toEqual([])
  })

  it('can be repeated, from any step at which it was interrupted', async () => {
    const directory = runDirectory(stateDir, 'a')
    const interrupted: (() => Promise<void> | void)[] = [
      () => mkdirSync(directory, { recursive: true }),
      () => writeFileSync(join(directory, 'results.json.tmp'), '{"half'),
      () => writeRun(stateDir, head('a'), [text(1, 'A')]),
      () => writeFileSync(join(directory, 'results.json'), 'renamed'),
      () => rmSync(join(directory, 'results.json.tmp'), { force: true }),
      () => writeFileSync(join(directory, 'results.txt'), 'renamed'),
      () => {
        writeFileSync(join(stateDir, 'results.txt.tmp'), 'half')
        writeFileSync(join(stateDir, 'results.txt'), 'of an older run')
      },
    ]
    for (const interrupt of interrupted) {
      await interrupt()
      await publishRun(stateDir, head('a'), [text(1, 'A')])
      expect(shown()).toBe('1.jpg: A\n')
      expect(outcomesOf('a')).toEqual([text(1, 'A')])
      expect(readdirSync(directory).sort()).toEqual(['results.json', 'results.txt'])
      expect(existsSync(join(stateDir, 'results.txt.tmp'))).toBe(false)
    }
  })

  it('that fails shows nothing of the run', async () => {
    await publishRun(stateDir, head('a'), [text(1, 'A')])
    const outcomes = function* () {
      yield text(1, 'B')
      throw new RangeError('the database failed')
    }
    await expect(publishRun(stateDir, head('b'), outcomes())).rejects.toThrow('the database failed')
    expect(shown()).toBe('1.jpg: A\n')
    expect(existsSync(fileOf('b', 'results.txt'))).toBe(false)
    expect(openFiles()).toEqual([])
  })
})

describe('results that were written elsewhere', () => {
  it('are published byte for byte', async () => {
    const results = { json: Buffer.from('{"any":"json"}\n'), text: Buffer.from('any text\xff', 'latin1') }
    await publishCopy(stateDir, 'a', results)
    expect(readFileSync(join(stateDir, 'results.txt'))).toEqual(results.text)
    expect(readFileSync(fileOf('a', 'results.txt'))).toEqual(results.text)
    expect(readFileSync(fileOf('a', 'results.json'))).toEqual(results.json)
  })

  it('are what another reader has written and not shown', async () => {
    await writeRun(stateDir, head('a'), [text(1, 'A')])
    expect(existsSync(join(stateDir, 'results.txt'))).toBe(false)
    const written = await readWritten(stateDir, 'a')
    await publishRun(stateDir, head('a'), [text(1, 'A')])
    expect(written.text.toString()).toBe(shown())
    expect(written.json.toString()).toBe(contentOf('a', 'results.json'))
  })
})

describe('showing the latest run', () => {
  beforeEach(async () => {
    await publishRun(stateDir, head('a'), [text(1, 'A')])
    await publishRun(stateDir, head('b'), [text(1, 'B')])
  })

  it('replaces what somebody has deleted or changed', async () => {
    rmSync(join(stateDir, 'results.txt'))
    await showLatest(stateDir, 'b')
    expect(shown()).toBe('1.jpg: B\n')
    writeFileSync(join(stateDir, 'results.txt'), '1.jpg: B\nmore')
    await showLatest(stateDir, 'b')
    expect(shown()).toBe('1.jpg: B\n')
    await showLatest(stateDir, 'a')
    expect(shown()).toBe('1.jpg: A\n')
  })

  it('leaves a file alone that is right already', async () => {
    const { ino } = statSync(join(stateDir, 'results.txt'))
    await showLatest(stateDir, 'b')
    expect(statSync(join(stateDir, 'results.txt')).ino).toBe(ino)
  })

  it('finds the last byte of a large file', async () => {
    const content = Buffer.alloc(200_000, 'x')
    await publishCopy(stateDir, 'c', { json: content, text: content })
    writeFileSync(join(stateDir, 'results.txt'), Buffer.concat([content.subarray(1), Buffer.from('y')]))
    await showLatest(stateDir, 'c')
    expect(readFileSync(join(stateDir, 'results.txt'))).toEqual(content)
    writeFileSync(join(stateDir, 'results.txt'), content.subarray(1))
    await showLatest(stateDir, 'c')
    expect(readFileSync(join(stateDir, 'results.txt'))).toEqual(content)
  })

  it('whose files somebody has deleted shows what was shown before', async () => {
    rmSync(runDirectory(stateDir, 'b'), { recursive: true })
    await showLatest(stateDir, 'b')
    expect(shown()).toBe('1.jpg: B\n')
  })

  it('leaves no file open', async () => {
    const content = Buffer.alloc(1_000_000, 'x')
    await publishCopy(stateDir, 'large', { json: content, text: content })
    for (const run of ['a', 'b', 'large', 'a']) await showLatest(stateDir, run)
    expect(openFiles()).toEqual([])
  })
})

test('runs that are not kept lose their files; others keep theirs', async () => {
  await publishRun(stateDir, head('a'), [text(1, 'A')])
  await publishRun(stateDir, head('b'), [text(1, 'B')])
  await deleteRunFiles(stateDir, ['a', 'never published'])
  expect(readdirSync(join(stateDir, 'runs'))).toEqual(['b'])
  expect(shown()).toBe('1.jpg: B\n')
})

test('an image is one line of results.txt, whatever it says', () => {
  const outcome = { ...text(1, 'A\nB', '\x1b[2J', 'C'), key: 'a\n-1: x.jpg' }
  expect(resultsLine(outcome)).toBe('a\uFFFD-1: x.jpg: A\uFFFDB | \uFFFD[2J | C\n')
})
