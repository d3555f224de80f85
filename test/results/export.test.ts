import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { type ExportFormat, exportRun } from '../../src/results/export.ts'

const head = {
  run: '20261122T174500Z-3f9a',
  isFinished: true,
  bucket: 'images',
  label: 'Car',
  count: 3,
  images: 9,
}
const keys = [
  'a: b | c.jpg',
  'a "quoted", b.jpg',
  ' spaces .jpg',
  'line\nfeed\r\n.jpg',
  'tab\t.jpg',
  '=1+1.jpg',
  '日本語\u200d\u202e\u2028.jpg',
  '🚗.jpg',
  '',
]
const outcomes: Outcome[] = [
  ...keys.map((key, i): Outcome => {
    const lines = [`${key}1`, 'x: y | z'].map((text) => ({ text, confidence: 98.5, polygon: [] }))
    return { n: i + 1, key, at: Date.UTC(2026, 10, 22), confidence: 99.25, outcome: 'text', lines }
  }),
  { n: 20, key: 'none.jpg', at: 0, outcome: 'no-text' },
  { n: 21, key: 'broken.jpg', at: 0, outcome: 'failed', reason: 'gone, "for good"' },
]

async function printed(format: ExportFormat, some: readonly Outcome[] = outcomes): Promise<string> {
  const source = async function* () {
    yield* some
  }
  let text = ''
  for await (const piece of exportRun(format, head, source())) text += piece
  return text
}

/** RFC 4180, strictly: records end with CRLF, and a quote stands only around a field or doubled inside of it. */
function parseCsv(text: string): string[][] {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y
  const records: string[][] = []
  let record: string[] = []
  while (field.lastIndex < text.length) {
    const at = field.lastIndex
    const [, quoted, plain = '', end] = field.exec(text) ?? []
    if (end === undefined) throw new Error(`no field at ${at}: ${JSON.stringify(text.slice(at, at + 20))}`)
    record.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === ',') continue
    records.push(record)
    record = []
  }
  return records
}

describe('results', () => {
  it('as CSV have every key and text, a row for each line, and one for an image without text', async () => {
    const [columns, ...rows] = parseCsv(await printed('csv'))
    expect(columns).toEqual([
      'key',
      'n',
      'outcome',
      'confidence',
      'line',
      'text',
      'text_confidence',
      'reason',
    ])
    expect(rows).toEqual([
      ...keys.flatMap((key, i) => [
        [key, `${i + 1}`, 'text', '99.25', '1', `${key}1`, '98.5', ''],
        [key, `${i + 1}`, 'text', '99.25', '2', 'x: y | z', '98.5', ''],
      ]),
      ['none.jpg', '20', 'no-text', '', '', '', '', ''],
      ['broken.jpg', '21', 'failed', '', '', '', '', 'gone, "for good"'],
    ])
  })

  const records = [
    ...keys.map((key, i) => ({
      key,
      n: i + 1,
      outcome: 'text',
      confidence: 99.25,
      lines: [
        { text: `${key}1`, confidence: 98.5 },
        { text: 'x: y | z', confidence: 98.5 },
      ],
      reason: null,
      at: '2026-11-22T00:00:00.000Z',
    })),
    ...[
      { key: 'none.jpg', n: 20, outcome: 'no-text', reason: null },
      { key: 'broken.jpg', n: 21, outcome: 'failed', reason: 'gone, "for good"' },
    ].map((record) => ({ confidence: null, lines: [], at: '1970-01-01T00:00:00.000Z', ...record })),
  ]

  it('as JSON say what the run is, and have every field of every image', async () => {
    expect(JSON.parse(await printed('json'))).toEqual({ ...head, results: records })
    expect(JSON.parse(await printed('json', []))).toEqual({ ...head, results: [] })
  })

  it('as JSON lines are an image a line', async () => {
    const lines = (await printed('jsonl')).split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.map((line) => JSON.parse(line))).toEqual(records)
  })

  it('as text are the lines of results.txt', async () => {
    const lines = (await printed('txt')).split('\n')
    expect(lines).toHaveLength(keys.length + 1)
    expect(lines[0]).toBe('a: b | c.jpg: a: b | c.jpg1 | x: y | z')
  })
})
