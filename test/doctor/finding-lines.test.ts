import { expect, it } from 'vitest'
import { right, unknown, wrong } from '../../src/doctor/finding.ts'
import { findingLine, summaryLine } from '../../src/doctor/finding-lines.ts'

const bad = wrong('queue', 'settings', 'cars: does not exist', 'make it')
const plain = { marks: false, colour: false }

it.each([
  [right('disk', 'is writable'), plain, 'ok    disk          is writable'],
  [bad, plain, 'WRONG queue         cars: does not exist -> make it'],
  [unknown('units', 'not looked at'), plain, '-     units         not looked at'],
  [right('disk', 'is writable'), { marks: true, colour: false }, '✓ disk          is writable'],
  [bad, { marks: true, colour: false }, '✗ queue         cars: does not exist → make it'],
  [bad, { marks: false, colour: true }, '\x1b[31mWRONG\x1b[0m queue         cars: does not exist -> make it'],
  [right('bucket', 'evil\x1b[2J\nname'), plain, 'ok    bucket        evil\ufffd[2J\ufffdname'],
])('%o looks %o', (finding, look, line) => {
  expect(findingLine(finding, look)).toBe(line)
})

it.each([
  [[right('a', '')], 'All is right.'],
  [[right('a', ''), unknown('b', '')], 'All is right.'],
  [[bad], 'One thing is wrong.'],
  [[bad, right('a', ''), bad], '2 things are wrong; begin with the first.'],
])('%o in one line', (findings, line) => {
  expect(summaryLine(findings)).toBe(line)
})
