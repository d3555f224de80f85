import { displaySafe } from '../host/display.ts'
import type { FailedImage } from '../protocol/messages.ts'
import type { CallCounts, Outcome } from '../protocol/outcomes.ts'

/** What results.json says of the run itself; its outcomes follow, one a line. */
export interface ResultsHead {
  readonly run: string
  readonly bucket: string
  readonly label: string
  /** images with the label: so many outcomes follow */
  readonly count: number
  /** images that the detector analysed, and how many of them it could not */
  readonly images: number
  readonly detectorFailed: number
  /** as many of those as the end message could carry */
  readonly detectorFailures: readonly FailedImage[]
  /** of the images with the label: how many have text, and how many could not be read */
  readonly texts: number
  readonly failures: number
  /** ISO 8601 */
  readonly finishedAt: string
  /** Rekognition calls that the reader paid for */
  readonly calls: CallCounts
  /** images whose text was known from earlier runs */
  readonly reused: number
  /** requests of the reader to all services */
  readonly requests: CallCounts
}

/** `4.jpg: YHI9 OTZ | TAXI`: one line of results.txt, safe to show on a terminal. */
export function resultsLine(outcome: Outcome & { outcome: 'text' }): string {
  const texts = outcome.lines.map(({ text }) => displaySafe(text))
  return `${displaySafe(outcome.key)}: ${texts.join(' | ')}\n`
}

/** results.json in pieces: the start, then one call of `resultsJsonOutcome` per image, then `resultsJsonEnd`. */
export function resultsJsonStart(head: ResultsHead): string {
  return `${JSON.stringify(head).slice(0, -1)},\n"outcomes":[`
}

export function resultsJsonOutcome(outcome: Outcome, isFirst: boolean): string {
  return `${isFirst ? '\n' : ',\n'}${JSON.stringify(outcome)}`
}

export const resultsJsonEnd = '\n]}\n'
