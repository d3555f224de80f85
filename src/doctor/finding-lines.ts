import { displaySafe } from '../protocol/display.ts'
import type { Finding, WrongFinding } from './finding.ts'

export interface Look {
  /** the terminal shows UTF-8 */
  readonly marks: boolean
  readonly colour: boolean
}

const subjectWidth = 13
const words = { right: 'ok   ', wrong: 'WRONG', unknown: '-    ' }
const marks = { right: '✓', wrong: '✗', unknown: '–' }
const colours = { right: 32, wrong: 31, unknown: 90 }

/** One line: the verdict, what was looked at, what was seen and, where it is wrong, what to do. */
export function findingLine(finding: Finding, look: Look): string {
  const mark = look.marks ? marks[finding.verdict] : words[finding.verdict]
  const painted = look.colour ? `\x1b[${colours[finding.verdict]}m${mark}\x1b[0m` : mark
  const remedy = finding.verdict === 'wrong' ? ` ${look.marks ? '→' : '->'} ${finding.remedy}` : ''
  return `${painted} ${finding.subject.padEnd(subjectWidth)} ${displaySafe(finding.said)}${displaySafe(remedy)}`
}

export function summaryLine(findings: readonly Finding[]): string {
  const wrong = findings.filter((finding): finding is WrongFinding => finding.verdict === 'wrong')
  if (wrong.length === 0) return 'All is right.'
  return wrong.length === 1
    ? 'One thing is wrong.'
    : `${wrong.length} things are wrong; begin with the first.`
}
