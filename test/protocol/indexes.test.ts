import { expect, test } from 'vitest'
import { displaySafe } from '../../src/protocol/display.ts'
import { compareIndexes, compareListed, isPictureKey } from '../../src/protocol/indexes.ts'
import { resultsLine } from '../../src/protocol/results.ts'
import { isRunId, newRunId } from '../../src/protocol/run-id.ts'

test.each([
  [
    ['10.jpg', '2.jpg', '1.jpg'],
    ['1.jpg', '2.jpg', '10.jpg'],
  ],
  [
    ['b2.jpg', 'a10.jpg', 'a9.jpg'],
    ['a9.jpg', 'a10.jpg', 'b2.jpg'],
  ],
  [
    ['02.jpg', '2.jpg', '1.jpg'],
    ['1.jpg', '02.jpg', '2.jpg'],
  ],
  [
    ['x/10/1.jpg', 'x/9/2.jpg'],
    ['x/9/2.jpg', 'x/10/1.jpg'],
  ],
  [
    ['99999999999999999999.jpg', '100000000000000000000.jpg'],
    ['99999999999999999999.jpg', '100000000000000000000.jpg'],
  ],
  [
    ['a.jpg', 'B.jpg'],
    ['B.jpg', 'a.jpg'],
  ],
  [
    ['a', 'a1', ''],
    ['', 'a', 'a1'],
  ],
])('natural order of %j', (given, expected) => expect(given.toSorted(compareIndexes)).toEqual(expected))

test('the order is total: no two different indexes are equal', () => {
  expect(compareIndexes('2.jpg', '02.jpg')).not.toBe(0)
  expect(compareIndexes('2.jpg', '02.jpg')).toBe(-compareIndexes('02.jpg', '2.jpg'))
})

test("S3 lists by UTF-8 bytes, which is not JavaScript's order beyond U+FFFF", () => {
  expect(['\u{1F697}', '\uFF61'].toSorted(compareListed)).toEqual(['\uFF61', '\u{1F697}'])
})

test.each([
  ['2.jpg', true],
  ['2.JPEG', true],
  ['a/b.PnG', true],
  ['2.gif', false],
  ['jpg', false],
  ['2.jpg/', false],
  ['2.jpg.txt', false],
])('%s is a picture: %s', (key, expected) => expect(isPictureKey(key)).toBe(expected))

test.each([
  '\x1b[2J',
  'a\nb',
  'a\r',
  '\x9b1m',
  '\u202Eevil',
  '\u2066x',
  'a\u2028b',
  '\uFEFF',
  '\u200B',
  '\x00',
])('nothing of %j reaches a terminal', (text) => expect(displaySafe(text)).toMatch(/^[ -~\uFFFD]*$/))

test('ordinary writing of any script is shown as it is', () => {
  for (const text of ['YHI9 OTZ', 'Straße', '日本', 'مرحبا', '🚗']) expect(displaySafe(text)).toBe(text)
})

test('a picture is one line of results.txt, whatever it says', () => {
  const line = (text: string) => ({ text, confidence: 99, polygon: [] })
  const outcome = { n: 1, key: 'a\n-1: x.jpg', bucket: 'b', at: 0, outcome: 'text' as const }
  expect(resultsLine({ ...outcome, lines: [line('A\nB'), line('\x1b[2J'), line('C')] })).toBe(
    'a\uFFFD-1: x.jpg: A\uFFFDB | \uFFFD[2J | C\n',
  )
})

test('a run id is its UTC start and four characters', () => {
  const id = newRunId(new Date('2026-11-22T17:45:00.123Z'))
  expect(id).toMatch(/^20261122T174500Z-[0-9a-z]{4}$/)
  expect(isRunId(id)).toBe(true)
  expect(isRunId(`../${id}`)).toBe(false)
})
