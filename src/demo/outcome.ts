import { join, relative } from 'node:path'
import { readLog } from '../daemon/append-log.ts'
import { wholeLines } from '../daemon/lines.ts'
import { type JournalLine, journalPath } from '../detector/journal.ts'
import { displaySafe } from '../protocol/display.ts'
import { findRun } from '../report/find-run.ts'
import { readRun } from '../report/read-run.ts'
import { type RunStatus, readStatus } from '../status/read-status.ts'
import { counted } from '../status/status-text.ts'

const mostLines = 50
const mostFailures = 5

/** results.txt as it is, then what all the pictures came to. */
export async function outcomeLines(stateDir: string): Promise<string[]> {
  const [run] = await readStatus(stateDir, 1)
  const results = join(stateDir, 'results.txt')
  const { lines, more } = await head(results)
  const title = `Pictures with a car and text, as in ${shortPath(results)}:`
  const none = 'None of these pictures has both a car and text.'
  return [
    ...(lines.length > 0 ? [title, '', ...lines.map((line) => `  ${line}`)] : [none]),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    '',
    ...(run ? [sumLine(run), ...(await failureLines(stateDir, run.run))] : []),
  ]
}

/** Relative where that is shorter: from the folder in which the command was given. */
export function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere.startsWith('..') ? path : fromHere
}

async function head(path: string): Promise<{ lines: string[]; more: number }> {
  const lines: string[] = []
  let more = 0
  for await (const line of wholeLines(path)) {
    if (lines.length < mostLines) lines.push(line)
    else more++
  }
  return { lines, more }
}

function sumLine({ detector, reader }: RunStatus): string {
  const failed = (detector?.failed ?? 0) + (reader?.failures ?? 0)
  const found = `${detector?.cars ?? 0} with a car, ${reader?.texts ?? 0} of these with text`
  return `${counted(detector?.judged ?? 0, 'picture')}: ${found}${failed > 0 ? `, ${failed} could not be analysed:` : ''}`
}

async function failureLines(stateDir: string, run: string): Promise<string[]> {
  const failures: string[] = []
  for await (const line of readLog<JournalLine>(journalPath(stateDir, run), () => undefined)) {
    if ('verdict' in line && line.verdict === 'failed') failures.push(failureLine(line.key, line.reason))
  }
  const { pictures } = await readRun(await findRun(stateDir, run), Number.POSITIVE_INFINITY)
  for (const { key, outcome, reason } of pictures)
    if (outcome === 'failed') failures.push(failureLine(key, reason))
  const more = failures.length - mostFailures
  return [...failures.slice(0, mostFailures), ...(more > 0 ? [`  … and ${more} more`] : [])]
}

function failureLine(key: string, reason = 'no reason is known'): string {
  return `  ${displaySafe(key)}: ${displaySafe(reason)}`
}
