import type { Outcome } from '../protocol/outcomes.ts'
import { resultsLine } from './format.ts'

/** Formats in which results are printed. In all but `txt` every key and text can be read back exactly. */
export const exportFormats = ['txt', 'csv', 'json', 'jsonl'] as const

export type ExportFormat = (typeof exportFormats)[number]

/** What is printed of the run itself, in JSON. */
export interface ExportHead {
  readonly run: string
  readonly isFinished: boolean
  /** null where the run does not say it yet */
  readonly bucket: string | null
  readonly label: string | null
  /** images with the label, and images that the detector analysed */
  readonly count: number | null
  readonly images: number | null
}

const csvColumns = ['key', 'n', 'outcome', 'confidence', 'line', 'text', 'text_confidence', 'reason'] as const
/** RFC 4180. */
const csvLineEnd = '\r\n'

/** The results of a run in pieces of text, one after the other in little memory. */
export async function* exportRun(
  format: ExportFormat,
  head: ExportHead,
  outcomes: AsyncIterable<Outcome>,
): AsyncGenerator<string> {
  if (format === 'csv') yield csvRow(csvColumns)
  if (format === 'json') yield `${JSON.stringify(head).slice(0, -1)},"results":[`
  let isFirst = true
  for await (const outcome of outcomes) {
    yield piece(format, outcome, isFirst)
    isFirst = false
  }
  if (format === 'json') yield '\n]}\n'
}

function piece(format: ExportFormat, outcome: Outcome, isFirst: boolean): string {
  switch (format) {
    case 'txt':
      return outcome.outcome === 'text' ? resultsLine(outcome) : ''
    case 'csv':
      return csvRows(outcome)
    case 'json':
      return `${isFirst ? '\n' : ',\n'}${JSON.stringify(recordOf(outcome))}`
    case 'jsonl':
      return `${JSON.stringify(recordOf(outcome))}\n`
  }
}

/** Every field is always there. */
function recordOf(outcome: Outcome): object {
  const { key, n, confidence = null, at } = outcome
  return {
    key,
    n,
    outcome: outcome.outcome,
    confidence,
    lines:
      outcome.outcome === 'text' ? outcome.lines.map(({ text, confidence }) => ({ text, confidence })) : [],
    reason: outcome.outcome === 'failed' ? outcome.reason : null,
    at: new Date(at).toISOString(),
  }
}

/** A row per line of text; one row of an image without text. */
function csvRows(outcome: Outcome): string {
  const { key, n, confidence } = outcome
  const subject = [key, n, outcome.outcome, confidence]
  if (outcome.outcome !== 'text' || outcome.lines.length === 0) {
    const reason = outcome.outcome === 'failed' ? outcome.reason : undefined
    return csvRow([...subject, undefined, undefined, undefined, reason])
  }
  return outcome.lines
    .map(({ text, confidence }, i) => csvRow([...subject, i + 1, text, confidence, undefined]))
    .join('')
}

function csvRow(values: readonly (string | number | undefined)[]): string {
  return `${values.map((value) => csvField(String(value ?? ''))).join(',')}${csvLineEnd}`
}

function csvField(text: string): string {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
