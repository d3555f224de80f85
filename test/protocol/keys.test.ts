import { describe, expect, it, test } from 'vitest'
import { compareListed, isImageKey, naturalSortKey } from '../../src/protocol/keys.ts'
import { isForeignRunId, isRunId, newForeignRunId, newRunId, startOfRun } from '../../src/protocol/run-id.ts'
import { Random } from '../support/random.ts'

function compareNatural(a: string, b: string): number {
  return Buffer.compare(naturalSortKey(a), naturalSortKey(b))
}

describe('natural order', () => {
  test.each([
    ['numbers', ['10.jpg', '2.jpg', '1.jpg'], ['1.jpg', '2.jpg', '10.jpg']],
    ['numbers inside', ['b2.jpg', 'a10.jpg', 'a9.jpg'], ['a9.jpg', 'a10.jpg', 'b2.jpg']],
    ['leading zeros', ['02.jpg', '2.jpg', '1.jpg'], ['1.jpg', '02.jpg', '2.jpg']],
    ['zeros alone', ['1', '0', '00', '000', ''], ['', '0', '00', '000', '1']],
    ['leading zeros before what follows', ['02b', '2a', '2c'], ['2a', '02b', '2c']],
    ['numbers of directories', ['x/10/1.jpg', 'x/9/2.jpg'], ['x/9/2.jpg', 'x/10/1.jpg']],
    ['two numbers', ['1-10', '1-9', '01-9', '1-'], ['1-', '01-9', '1-9', '1-10']],
    [
      'numbers beyond what is exact',
      ['99999999999999999999.jpg', '100000000000000000000.jpg'],
      ['99999999999999999999.jpg', '100000000000000000000.jpg'],
    ],
    [
      'numbers of hundreds of digits',
      [`1${'0'.repeat(200)}`, '9'.repeat(200), '9'.repeat(127), `1${'0'.repeat(126)}`, `1${'0'.repeat(127)}`],
      [`1${'0'.repeat(126)}`, '9'.repeat(127), `1${'0'.repeat(127)}`, '9'.repeat(200), `1${'0'.repeat(200)}`],
    ],
    ['code points', ['a.jpg', 'B.jpg', 'ä.jpg'], ['B.jpg', 'a.jpg', 'ä.jpg']],
    ['the shorter one first', ['a', 'a1', '', 'a\x01'], ['', 'a', 'a\x01', 'a1']],
    ['digits before letters, after punctuation', ['a', '1', '-', ':'], ['-', '1', ':', 'a']],
    ['characters beyond U+FFFF last', ['\u{1F697}', '\uFF61'], ['\uFF61', '\u{1F697}']],
  ])('%s', (_, given, expected) => expect(given.toSorted(compareNatural)).toEqual(expected))

  it('is total: keys that are different are never equal', () => {
    const keys = ['2.jpg', '02.jpg', '002.jpg', '2.jpg0', 'a', 'A', 'é', 'e\u0301', '0', '00']
    for (const a of keys) for (const b of keys) expect(compareNatural(a, b) === 0).toBe(a === b)
  })

  it('is the one of numbers, for any keys', () => {
    const random = new Random('keys')
    const key = () => {
      const parts = Array.from({ length: random.between(1, 4) }, () =>
        random.pick(['a', 'b', '/', '-', String(random.between(0, 1200))]),
      )
      return parts.join('')
    }
    const compare = (a: string, b: string) => compareParts(partsOf(a), partsOf(b))
    for (let n = 0; n < 20_000; n++) {
      const [a, b] = [key(), key()]
      const expected = compare(a, b)
      if (expected !== 0) expect(Math.sign(compareNatural(a, b)), `${a} ${b}`).toBe(Math.sign(expected))
    }
  })
})

/** The key as texts and numbers. */
function partsOf(key: string): (string | number)[] {
  return [...key.matchAll(/[0-9]+|[^0-9]/g)].map(([part]) => (/[0-9]/.test(part) ? Number(part) : part))
}

function compareParts(a: (string | number)[], b: (string | number)[]): number {
  for (let n = 0; n < Math.max(a.length, b.length); n++) {
    const [x, y] = [a[n], b[n]]
    if (x === y) continue
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1
    if (typeof x === 'number' && typeof y === 'number') return x - y
    // Digits lie between '/' and ':'.
    const order = (part: string | number) => (typeof part === 'number' ? '0' : part)
    return order(x) < order(y) ? -1 : 1
  }
  return 0
}

test("S3 lists by UTF-8 bytes, which is not JavaScript's order beyond U+FFFF", () => {
  expect(['\u{1F697}', '\uFF61', 'z', ''].toSorted(compareListed)).toEqual(['', 'z', '\uFF61', '\u{1F697}'])
})

test.each([
  ['2.jpg', true],
  ['2.JPEG', true],
  ['a/b.PnG', true],
  ['.jpg', true],
  ['a\nb.jpg', true],
  ['2.gif', false],
  ['jpg', false],
  ['2.jpg/', false],
  ['2.jpg.txt', false],
  ['2.jpg\n', false],
])('%j is an image: %s', (key, expected) => expect(isImageKey(key)).toBe(expected))

describe('run IDs', () => {
  const start = new Date('2026-11-22T17:45:00.123Z')

  it('are the UTC start and four characters', () => {
    const id = newRunId(start)
    expect(id).toMatch(/^20261122T174500Z-[0-9a-z]{4}$/)
    expect(isRunId(id)).toBe(true)
    expect(isForeignRunId(id)).toBe(false)
    const foreign = newForeignRunId(start)
    expect(foreign).toMatch(/^foreign-20261122T174500Z-[0-9a-z]{4}$/)
    expect(isForeignRunId(foreign)).toBe(true)
    expect(isRunId(foreign)).toBe(false)
  })

  it.each([
    ['20261122T174459Z-zzzz', '20261122T174500Z'],
    ['20261122T174500Z-zzzz', '20261122T174501Z'],
    ['20261123T235959Z-0000', '20261124T000000Z'],
    ['foreign-20261122T174530Z-0000', '20261122T174531Z'],
    ['20261399T000000Z-abcd', '20261122T174500Z'],
    ['99991231T235959Z-abcd', '20261122T174500Z'],
  ])('begin after the run %s, whatever the clock says: %s', (before, expected) => {
    expect(startOfRun(newRunId(start, before))).toBe(expected)
    expect(startOfRun(newForeignRunId(start, before))).toBe(expected)
  })

  it('of one second differ', () => {
    const ids = new Set(Array.from({ length: 20 }, () => newRunId(start)))
    expect(ids.size).toBeGreaterThan(15)
  })

  test.each([
    '',
    '../x',
    '20261122T174500Z-3f9',
    '20261122T174500Z-3F9A',
    '/20261122T174500Z-3f9a',
    '20261122T174500Z-3f9a\n',
  ])('%j is none: it becomes the name of a directory', (id) => expect(isRunId(id)).toBe(false))
})
