import { join, relative } from 'node:path'
import { wholeLines } from '../results/lines.ts'
import { type RunOverview, readStatus } from '../status/read-status.ts'
import { counted, failureSentence } from '../status/status-text.ts'

const maxLines = 50
const maxFailures = 5

/** The lines of results.txt, then a summary of all images. */
export async function outcomeLines(stateDir: string): Promise<string[]> {
  const { runs } = await readStatus(stateDir, { maxRuns: 1, keepRuns: 1, maxFailures })
  const results = join(stateDir, 'results.txt')
  const { lines, more } = await firstLines(results)
  const title = `Images with a car and text, as in ${shortPath(results)}:`
  const none = 'None of these images has both a car and text.'
  return [
    ...(lines.length > 0 ? [title, '', ...lines.map((line) => `  ${line}`)] : [none]),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    '',
    ...runs.flatMap((run) => [summary(run), ...failureLines(run)]),
  ]
}

/** Relative to the working directory if the path is inside it. */
export function shortPath(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere.startsWith('..') ? path : fromHere
}

async function firstLines(path: string): Promise<{ lines: string[]; more: number }> {
  const lines: string[] = []
  let more = 0
  for await (const line of wholeLines(path)) {
    if (lines.length < maxLines) lines.push(line)
    else more++
  }
  return { lines, more }
}

function summary(run: RunOverview): string {
  const { detector, reader } = run
  const found = `${detector?.cars ?? 0} with a car, ${reader?.texts ?? 0} of them with text`
  const failed = failedIn(run)
  const failures = failed > 0 ? `, ${failed} could not be analysed:` : ''
  return `${counted(detector?.processed ?? 0, 'image')}: ${found}${failures}`
}

function failureLines(run: RunOverview): string[] {
  const failures = [...(run.detector?.failures ?? []), ...(run.reader?.failures ?? [])].slice(0, maxFailures)
  const more = failedIn(run) - failures.length
  return [
    ...failures.map((failure) => `  ${failureSentence(failure)}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ]
}

function failedIn({ detector, reader }: RunOverview): number {
  return (detector?.failed ?? 0) + (reader?.failed ?? 0)
}
