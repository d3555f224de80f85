import { displaySafe } from './display.ts'
import type { CallCounts, Outcome } from './outcomes.ts'

/** The head of results.json; its pictures follow, one a line. */
export interface ResultsHead {
  readonly run: string
  readonly bucket: string
  readonly label: string
  /** pictures with a car: so many lines follow */
  readonly count: number
  /** pictures that the detector saw, and how many of them it could not analyse */
  readonly images: number
  readonly detectorFailed: number
  /** of the pictures with a car: how many have text, and how many could not be read */
  readonly texts: number
  readonly failures: number
  /** ISO 8601; later runs have later ones, also when the clock was set back */
  readonly finishedAt: string
  readonly calls: CallCounts
}

/** `4.jpg: YHI9 OTZ | TAXI`: one line of results.txt, safe to show on a terminal. */
export function resultsLine(outcome: Outcome & { outcome: 'text' }): string {
  const texts = outcome.lines.map(({ text }) => displaySafe(text))
  return `${displaySafe(outcome.key)}: ${texts.join(' | ')}\n`
}

/** results.json in pieces: the opening, then one call of `resultsJsonPicture` a picture, then `resultsJsonEnd`. */
export function resultsJsonStart(head: ResultsHead): string {
  return `${JSON.stringify(head).slice(0, -1)},\n"pictures":[`
}

export function resultsJsonPicture(outcome: Outcome, isFirst: boolean): string {
  const { id: _, bucket: __, ...shown } = outcome
  return `${isFirst ? '\n' : ',\n'}${JSON.stringify(shown)}`
}

export const resultsJsonEnd = '\n]}\n'
