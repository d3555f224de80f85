import { formatDollars } from '../aws/prices.ts'
import { displaySafe } from '../host/display.ts'
import type { FailedImage } from '../protocol/messages.ts'
import type { DetectorStatus } from '../state/detector-status.ts'
import type { ReaderStatus } from '../state/reader-status.ts'
import type { WorkerStatus } from '../state/worker-status.ts'
import type { HostOverview, RunOverview } from './read-status.ts'

/** `imgpipe status` for people: the workers of this host, then its newest runs. */
export function statusLines({ detector, reader, runs }: HostOverview, maxCallsPerDay: number): string[] {
  const workers = [
    ...(detector ? [`detector: ${workerSentence(detector, maxCallsPerDay)}`] : []),
    ...(reader ? [`reader:   ${workerSentence(reader, maxCallsPerDay)}`] : []),
  ]
  return [...workers, ...runs.flatMap((run) => ['', ...runLines(run)])]
}

/** Calls are counted by UTC day. */
function workerSentence({ isRunning, callsToday }: WorkerStatus, maxCallsPerDay: number): string {
  const state = isRunning === undefined ? '' : isRunning ? 'running, ' : 'not running, '
  const { reserved, answered, throttled, failed } = callsToday
  const limit = maxCallsPerDay > 0 ? `, ${reserved} of ${maxCallsPerDay} a day used` : ''
  const others = `${throttled > 0 ? `, ${throttled} throttled` : ''}${failures(failed)}`
  return `${state}${counted(answered, 'Rekognition call')} answered today${others}${limit}`
}

/** A run in a few lines. */
export function runLines(overview: RunOverview): string[] {
  const { run, detector, reader } = overview
  return [
    `run ${run}, started ${formatTime(startOf(overview))}${placeOf(overview)}`,
    ...(detector ? [`  detector  ${detectorSentence(detector)}`, ...waitingLines(detector)] : []),
    ...(detector ? failureLines(detector) : []),
    ...(reader ? [`  reader    ${readerSentence(reader)}`, ...waitingLines(reader)] : []),
    ...(reader ? failureLines(reader) : []),
    `  cost      ${costSentence(overview)}`,
    ...(reader?.results === undefined ? [] : [`  results   ${reader.results}`]),
  ]
}

/** When the run began, as far as this host knows. */
export function startOf({ detector, reader }: RunOverview): Date {
  return detector?.startedAt ?? reader?.startedAt ?? new Date(0)
}

/** `2026-11-22 17:45:00 UTC` */
export function formatTime(date: Date): string {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')
}

function placeOf({ detector, reader }: RunOverview): string {
  const bucket = detector?.bucket ?? reader?.bucket
  if (bucket === undefined) return ''
  const prefix = detector?.prefix ? `/${displaySafe(detector.prefix)}` : ''
  return `, bucket ${bucket}${prefix}, label ${displaySafe(detector?.label ?? reader?.label ?? '')}`
}

export function detectorSentence(status: DetectorStatus): string {
  const { state, processed, total, cars, failed } = status
  return `${state}: ${ofTotal(processed, total, 'image')}, ${counted(cars, 'car')}${failures(failed)}${rate(status)}`
}

export function readerSentence(status: ReaderStatus): string {
  const { state, recorded, count, texts, failed } = status
  return `${state}: ${ofTotal(recorded, count, 'car')} read, ${texts} with text${failures(failed)}${rate(status)}`
}

/** `1 image`, `2 images` */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** `3 of 10 images`; `3 images` while the total is unknown */
export function ofTotal(done: number, total: number | undefined, noun: string): string {
  return total === undefined ? counted(done, noun) : `${done} of ${counted(total, noun)}`
}

export function failures(failed = 0): string {
  return failed > 0 ? `, ${failed} failed` : ''
}

function rate({ perSecond, secondsLeft }: { perSecond: number; secondsLeft: number | undefined }): string {
  if (perSecond <= 0) return ''
  return `, ${perSecond.toFixed(1)}/s${secondsLeft === undefined ? '' : `, ${duration(secondsLeft)} left`}`
}

/** `45 s`, `12 min`, `3 h 20 min` */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

function waitingLines({ waiting }: { waiting: string | undefined }): string[] {
  return waiting === undefined ? [] : [`            ${displaySafe(waiting)}`]
}

function failureLines({ failed, failures }: { failed: number; failures: readonly FailedImage[] }): string[] {
  const more = failed - failures.length
  return [
    ...failures.map((failure) => `            ${failureSentence(failure)}`),
    ...(more > 0 && failures.length > 0 ? [`            and ${more} more`] : []),
  ]
}

/** `4.jpg: the image was deleted`, safe to show on a terminal. */
export function failureSentence({ key, reason }: FailedImage): string {
  return `${displaySafe(key)}: ${displaySafe(reason)}`
}

/** List prices: what the account pays depends on its volume and its free tier. */
function costSentence({ detector, reader, dollars }: RunOverview): string {
  const asked = (detector?.asked ?? 0) + (reader?.asked ?? 0)
  const reused = (detector?.reused ?? 0) + (reader?.reused ?? 0)
  const saved = reused > 0 ? `, ${reused} reused (${formatDollars(dollars.saved)} saved)` : ''
  const others = dollars.requests > 0 ? `, SQS and S3 ${formatDollars(dollars.requests)}` : ''
  return `${counted(asked, 'Rekognition call')} (${formatDollars(dollars.calls)})${saved}${others}`
}
