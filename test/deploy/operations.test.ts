import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { exitCodes } from '../../src/host/exit-codes.ts'
import { project } from './command.ts'

test('the page on operations has a remedy for every exit code', () => {
  const page = readFileSync(`${project}docs/operations.md`, 'utf8')
  const rows = page.split('\n').flatMap((line) => /^\| (\d+) \|.*\| (.+) \|$/.exec(line)?.slice(1, 3) ?? [])
  const codes = rows.filter((_, index) => index % 2 === 0).map(Number)
  // 1 is what Node itself ends with when the program has a fault.
  expect(codes).toEqual([...new Set([...Object.values(exitCodes), 1])].sort((one, other) => one - other))
})
