import { displaySafe } from '../host/display.ts'
import { type Finding, isUnseen } from './finding.ts'

/** How findings are shown. */
export interface OutputStyle {
  /** the terminal shows UTF-8 */
  readonly useSymbols: boolean
  readonly useColor: boolean
  /** columns of the terminal; undefined: one line per finding, for programs */
  readonly columns?: number | undefined
}

const subjectWidth = 13
const words = { ok: 'ok  ', warn: 'warn', fail: 'FAIL', skip: 'skip' }
const symbols = { ok: '✓', warn: '!', fail: '✗', skip: '–' }
/** SGR codes: green, yellow, red, gray. */
const colors = { ok: 32, warn: 33, fail: 31, skip: 90 }

/** The verdict, what was checked, what was found and, where something is to be done, the remedy. */
export function findingLine(finding: Finding, style: OutputStyle): string {
  const { verdict, subject, detail } = finding
  const mark = style.useSymbols ? symbols[verdict] : words[verdict]
  const colored = style.useColor ? `\x1b[${colors[verdict]}m${mark}\x1b[0m` : mark
  const start = `${mark} ${subject.padEnd(subjectWidth)} `
  const remedy = 'remedy' in finding && finding.remedy !== undefined ? finding.remedy : ''
  const arrow = remedy === '' ? '' : `${style.useSymbols ? '→' : '->'} ${displaySafe(remedy)}`
  const text = wrapped([displaySafe(detail), arrow], start.length, style.columns)
  return `${colored}${start.slice(mark.length)}${text}`
}

/** `All checks passed.`, `1 check failed. 2 warnings.`; never that all is well when not all could be seen. */
export function summaryLine(findings: readonly Finding[]): string {
  const count = (verdict: Finding['verdict']) =>
    findings.filter((finding) => finding.verdict === verdict).length
  const [failed, warnings, skipped] = [count('fail'), count('warn'), count('skip')]
  const sentences = [
    failed > 0 ? failures(failed) : findings.some(isUnseen) ? incomplete : 'All checks passed.',
    ...(warnings === 0 ? [] : [warnings === 1 ? '1 warning.' : `${warnings} warnings.`]),
    ...(skipped === 0 ? [] : [`${skipped} skipped.`]),
  ]
  return sentences.join(' ')
}

const incomplete = 'No check failed, but not everything can be seen by this user: run "sudo imgpipe doctor".'

function failures(failed: number): string {
  return failed === 1 ? '1 check failed.' : `${failed} checks failed; start with the first.`
}

/** Breaks lines between words, and indents all but the first; each part begins on a line of its own. */
function wrapped(parts: readonly string[], indent: number, columns: number | undefined): string {
  const texts = parts.filter((part) => part !== '')
  if (columns === undefined) return texts.join(' ')
  const width = Math.max(20, columns - indent)
  return texts.flatMap((text) => wrap(text, width)).join(`\n${' '.repeat(indent)}`)
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
