import { expect, it } from 'vitest'
import { fail, ok, skip, warn } from '../../src/doctor/finding.ts'
import { findingLine, summaryLine } from '../../src/doctor/finding-lines.ts'

const bad = fail('queue', 'settings', 'cars: does not exist', 'create it')
const doubtful = warn('dead letters', 'none', 'create one')
const plain = { useSymbols: false, useColor: false }
const terminal = { useSymbols: true, useColor: false, columns: 40 }

it.each([
  [ok('Node', 'version 24'), plain, 'ok   Node          version 24'],
  [bad, plain, 'FAIL queue         cars: does not exist -> create it'],
  [doubtful, plain, 'warn dead letters  none -> create one'],
  [warn('runs', 'one waits'), plain, 'warn runs          one waits'],
  [skip('units', 'not checked'), plain, 'skip units         not checked'],
  [ok('Node', 'version 24'), { useSymbols: true, useColor: false }, '✓ Node          version 24'],
  [bad, { useSymbols: true, useColor: false }, '✗ queue         cars: does not exist → create it'],
  [
    bad,
    { useSymbols: false, useColor: true },
    '\x1b[31mFAIL\x1b[0m queue         cars: does not exist -> create it',
  ],
  [ok('bucket', 'evil\x1b[2J\nname'), plain, 'ok   bucket        evil\ufffd[2J\ufffdname'],
  [
    fail('queue', 'settings', 'cars: this queue does not exist here', 'create it'),
    terminal,
    '✗ queue         cars: this queue does\n                not exist here\n                → create it',
  ],
  [ok('bucket', 'a'.repeat(60)), terminal, `✓ bucket        ${'a'.repeat(60)}`],
])('%o looks %o', (finding, style, line) => {
  expect(findingLine(finding, style)).toBe(line)
})

it.each([
  [[ok('a', '')], 'All checks passed.'],
  [[ok('a', ''), skip('b', '')], 'All checks passed. 1 skipped.'],
  [[ok('a', ''), doubtful], 'All checks passed. 1 warning.'],
  [[doubtful, doubtful], 'All checks passed. 2 warnings.'],
  [[bad], '1 check failed.'],
  [
    [bad, ok('a', ''), bad, skip('b', ''), doubtful],
    '2 checks failed; start with the first. 1 warning. 1 skipped.',
  ],
])('%o in one line', (findings, line) => {
  expect(summaryLine(findings)).toBe(line)
})
