import type { CallCounts } from '../protocol/outcomes.ts'
import { type DetectorStatus, type ReaderStatus, type RunStatus, startOf } from './read-status.ts'

/** List prices in us-east-1, $ a request; they move: see docs/performance.md. */
const dollars = { Rekognition: 0.001, SQS: 0.4e-6, S3: 0.4e-6, listing: 5e-6 }
const sqsOperations = /Message|Queue/

/** A run in a few lines for people, none longer than it must be. */
export function runLines({ run, detector, reader }: RunStatus): string[] {
  const lines = [`run ${run}, begun ${startOf(run).toLocaleString()}`]
  if (detector) lines.push(`  detector  ${detectorSentence(detector)}`)
  if (reader) lines.push(`  reader    ${readerSentence(reader)}`)
  const calls = sum(detector?.calls ?? {}, reader?.calls ?? {})
  if (Object.keys(calls).length > 0) lines.push(`  requests  ${callsSentence(calls)}`)
  if (reader?.results) lines.push(`  results   ${reader.results}`)
  return lines
}

export function detectorSentence({
  state,
  judged,
  total,
  cars,
  failed,
  perSecond,
  secondsLeft,
}: DetectorStatus): string {
  const counts = `${ofAll(judged, total, 'picture')}, ${counted(cars, 'car')}${failures(failed)}`
  return `${state}: ${counts}${pace(perSecond, secondsLeft)}`
}

export function readerSentence({ state, recorded, count, texts, ...rest }: ReaderStatus): string {
  const counts = `${ofAll(recorded, count, 'car')} read, ${texts} with text${failures(rest.failures)}`
  return `${state}: ${counts}${pace(rest.perSecond, rest.secondsLeft)}`
}

/** `1 picture`, `2 pictures` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `3 of 10 pictures`; `3 pictures` while it is not known of how many */
export function ofAll(done: number, total: number | undefined, noun: string): string {
  return total === undefined ? counted(done, noun) : `${done} of ${counted(total, noun)}`
}

export function failures(failed = 0): string {
  return failed > 0 ? `, ${failed} failed` : ''
}

function pace(perSecond: number, secondsLeft: number | undefined): string {
  if (perSecond <= 0) return ''
  return `, ${perSecond.toFixed(1)}/s${secondsLeft === undefined ? '' : `, ${duration(secondsLeft)} left`}`
}

/** `45 s`, `12 min`, `3 h 20 min` */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

function callsSentence(calls: CallCounts): string {
  const counts = { Rekognition: 0, SQS: 0, S3: 0, listing: 0 }
  for (const [operation, count] of Object.entries(calls)) counts[priceClass(operation)] += count
  const cost = Object.entries(dollars).reduce(
    (sum, [kind, price]) => sum + price * counts[kind as PriceClass],
    0,
  )
  return `${counts.Rekognition} Rekognition, ${counts.SQS} SQS, ${counts.S3 + counts.listing} S3: about $${cost.toFixed(4)} on Amazon`
}

type PriceClass = keyof typeof dollars

function priceClass(operation: string): PriceClass {
  if (operation.startsWith('Detect')) return 'Rekognition'
  if (operation.startsWith('List') || operation.startsWith('Put')) return 'listing'
  return sqsOperations.test(operation) ? 'SQS' : 'S3'
}

function sum(a: CallCounts, b: CallCounts): CallCounts {
  const total: Record<string, number> = { ...a }
  for (const [operation, count] of Object.entries(b)) total[operation] = (total[operation] ?? 0) + count
  return total
}
