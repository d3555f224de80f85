import { readdir } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { readTail } from '../daemon/append-log.ts'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { isAtWork } from '../daemon/instance-lock.ts'
import { type JournalLine, journaledRuns, journalPath } from '../detector/journal.ts'
import type { CallCounts, LedgerCheckpoint, LedgerLine } from '../protocol/outcomes.ts'
import type { ResultsHead } from '../protocol/results.ts'
import { isForeignRunId, isRunId } from '../protocol/run-id.ts'
import { ledgerPath, runFolder } from '../reader/ledger.ts'
import { readResultsHead } from '../reader/publish.ts'

/** How far worker A is with a run, as its journal on this machine tells. */
export interface DetectorStatus {
  readonly state: 'working' | 'interrupted' | 'done' | 'given up'
  readonly judged: number
  readonly total: number | undefined
  readonly cars: number
  readonly failed: number
  readonly perSecond: number
  readonly secondsLeft: number | undefined
  readonly calls: CallCounts
}

/** How far worker B is with a run, as its ledger on this machine tells. */
export interface ReaderStatus {
  readonly state: 'working' | 'interrupted' | 'complete' | 'given up'
  readonly recorded: number
  /** cars in all, once the end message has come */
  readonly count: number | undefined
  readonly texts: number
  readonly failures: number
  readonly perSecond: number
  readonly secondsLeft: number | undefined
  readonly calls: CallCounts
  readonly finishedAt: string | undefined
  readonly results: string | undefined
}

export interface RunStatus {
  readonly run: string
  readonly detector: DetectorStatus | undefined
  readonly reader: ReaderStatus | undefined
}

/** Only the ends of journals and ledgers are read; more than a second's lines fit in that. */
const tailBytes = 512 * 1024
const rateMilliseconds = 10_000

/**
 * @returns the newest `most` runs of a state folder, newest first; none while there is no such folder
 * @throws {ImgpipeError} `rights` when it may not be read, `settings` when it is no folder
 */
export async function readStatus(stateDir: string, most: number): Promise<RunStatus[]> {
  try {
    await readdir(stateDir)
    return await readRuns(stateDir, most)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw readError(stateDir, error)
  }
}

async function readRuns(stateDir: string, most: number): Promise<RunStatus[]> {
  const [journaled, ledgered] = await Promise.all([journaledRuns(stateDir), ledgeredRuns(stateDir)])
  const [detectorWorks, readerWorks] = await Promise.all([
    isAtWork(stateDir, 'detector'),
    isAtWork(stateDir, 'reader'),
  ])
  const newest = [...new Set([...journaled, ...ledgered])].sort(byStart).slice(0, most)
  return Promise.all(
    newest.map(async (run) => ({
      run,
      detector: journaled.includes(run) ? await readDetector(stateDir, run, detectorWorks) : undefined,
      reader: ledgered.includes(run) ? await readReader(stateDir, run, readerWorks) : undefined,
    })),
  )
}

function readError(stateDir: string, error: unknown): unknown {
  const code = codeOf(error)
  if (code === 'ENOTDIR') {
    const message = `The state folder ${stateDir} is a file: correct the setting "stateDir".`
    return new ImgpipeError('settings', message, { cause: error })
  }
  if (code !== 'EACCES' && code !== 'EPERM') return error
  const path = error instanceof Error && 'path' in error ? error.path : stateDir
  const message = `${path} cannot be read by the user ${userInfo().username} (${code}): run this as the user of the workers or as root.`
  return new ImgpipeError('rights', message, { cause: error })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function byStart(a: string, b: string): number {
  const [startA, startB] = [a.replace('foreign-', ''), b.replace('foreign-', '')]
  return startA < startB ? 1 : startA > startB ? -1 : 0
}

async function ledgeredRuns(stateDir: string): Promise<string[]> {
  const names = await readdir(join(stateDir, 'runs')).catch(() => [])
  return names.filter((name) => isRunId(name) || isForeignRunId(name))
}

async function readDetector(
  stateDir: string,
  run: string,
  isWorking: boolean,
): Promise<DetectorStatus | undefined> {
  const lines = await readTail<JournalLine>(journalPath(stateDir, run), tailBytes)
  const throughs = lines.filter((line) => 'through' in line)
  const newest = throughs.at(-1)
  const after = newest ? lines.slice(lines.lastIndexOf(newest) + 1) : lines
  const isDone = lines.findLast((line) => 'done' in line)
  const state = isDone ? (isDone.abandoned ? 'given up' : 'done') : isWorking ? 'working' : 'interrupted'
  const cars = (newest?.cars ?? 0) + after.filter((line) => 'car' in line).length
  const failed =
    (newest?.failed ?? 0) + after.filter((line) => 'verdict' in line && line.verdict === 'failed').length
  const judged = (newest?.judged ?? 0) + after.filter((line) => 'car' in line || 'verdict' in line).length
  const perSecond = state === 'working' ? rate(throughs.map(({ at, judged }) => ({ at, count: judged }))) : 0
  const total = newest?.total
  const secondsLeft = timeLeft(judged, total, perSecond)
  return { state, judged, total, cars, failed, perSecond, secondsLeft, calls: newest?.calls ?? {} }
}

async function readReader(
  stateDir: string,
  run: string,
  isWorking: boolean,
): Promise<ReaderStatus | undefined> {
  const head = await readResultsHead(stateDir, run)
  if (head) return finishedReader(stateDir, head)
  const lines = await readTail<LedgerLine>(ledgerPath(stateDir, run), tailBytes).catch((): LedgerLine[] => [])
  const checkpoints = lines.filter((line): line is LedgerCheckpoint => 'recorded' in line)
  const newest = checkpoints.at(-1)
  const after = newest ? lines.slice(lines.lastIndexOf(newest) + 1) : lines
  const outcomes = after.filter((line) => 'outcome' in line)
  const end = lines.findLast((line) => 'end' in line)?.end
  const recorded = (newest?.recorded ?? 0) + outcomes.length
  const count = end?.count ?? newest?.count
  const perSecond = isWorking ? rate(checkpoints.map(({ at, recorded }) => ({ at, count: recorded }))) : 0
  return {
    state: end?.abandoned ? 'given up' : isWorking ? 'working' : 'interrupted',
    recorded,
    count,
    texts: (newest?.texts ?? 0) + outcomes.filter(({ outcome }) => outcome === 'text').length,
    failures: (newest?.failures ?? 0) + outcomes.filter(({ outcome }) => outcome === 'failed').length,
    perSecond,
    secondsLeft: timeLeft(recorded, count, perSecond),
    calls: newest?.calls ?? {},
    finishedAt: undefined,
    results: undefined,
  }
}

function finishedReader(
  stateDir: string,
  { run, count, texts, failures, calls, finishedAt }: ResultsHead,
): ReaderStatus {
  const results = join(runFolder(stateDir, run), 'results.txt')
  const counts = { recorded: count, count, texts, failures, perSecond: 0, secondsLeft: undefined }
  return { state: 'complete', ...counts, calls, finishedAt, results }
}

/** A second over the last ten that were noted; nothing when the newest note is old. */
function rate(notes: { at: number; count: number }[]): number {
  const newest = notes.at(-1)
  if (!newest || Date.now() - newest.at > rateMilliseconds) return 0
  const oldest = notes.find(({ at }) => at >= newest.at - rateMilliseconds)
  const seconds = (newest.at - (oldest?.at ?? newest.at)) / 1000
  return oldest && seconds > 0 ? (newest.count - oldest.count) / seconds : 0
}

function timeLeft(done: number, total: number | undefined, perSecond: number): number | undefined {
  return total !== undefined && perSecond > 0 ? Math.max(0, (total - done) / perSecond) : undefined
}

/** When the run began, read from its id. */
export function startOf(run: string): Date {
  const digits = /(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z/.exec(run)?.slice(1) ?? []
  const [year, month, day, hour, minute, second] = digits
  return new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}
