import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { AppendLog, type DiskWatch, readLog, readTail } from '../daemon/append-log.ts'
import { compareListed } from '../protocol/indexes.ts'
import type { BoxTuple } from '../protocol/messages.ts'
import type { CallCounts } from '../protocol/outcomes.ts'

/** The settings that make a run what it is; an unfinished run goes on only under the same. */
export interface RunSettings {
  readonly bucket: string
  readonly prefix: string
  readonly maxImages: number
  readonly label: string
  readonly minConfidence: number
  readonly queue: string
  readonly region: string
}

/** A picture with a car: journaled before its message is sent, so that `n` stays the same when it is sent again. */
export interface CarRecord {
  readonly car: number
  readonly key: string
  readonly etag?: string
  readonly confidence: number
  readonly boxes: readonly BoxTuple[]
}

export interface EndRecord {
  readonly count: number
  readonly images: number
  readonly failed: number
}

/** How far the listing has come: every key up to `through` has its verdict. */
export interface ThroughRecord {
  readonly through: string
  /** pictures, and other keys, up to there */
  readonly images: number
  readonly skipped: number
  /** for `imgpipe status`, which reads only the journal's end: verdicts so far, and pictures in all if known */
  readonly judged: number
  readonly cars: number
  readonly failed: number
  readonly total?: number
  /** requests of the run so far */
  readonly calls: CallCounts
  readonly at: number
}

/** A line of detector/<run>.ndjson. */
export type JournalLine =
  | { readonly run: string; readonly settings: RunSettings; readonly at: number }
  | { readonly key: string; readonly verdict: 'none' }
  | { readonly key: string; readonly verdict: 'failed'; readonly reason: string }
  | CarRecord
  | { readonly sent: number; readonly at: number }
  | ThroughRecord
  | { readonly end: EndRecord }
  | { readonly done: true; readonly abandoned?: true; readonly at: number }

/** What a journal says of its run: all that is needed to go on with it. */
export interface RunState {
  readonly run: string
  readonly settings: RunSettings
  startedAt: number
  /** ms since 1970: what was sent before it was sent to a queue that is no more */
  readonly queueSince: number
  /** verdicts so far, by kind */
  cars: number
  none: number
  failed: number
  through: string
  imagesThrough: number
  skippedThrough: number
  /** keys after `through` that have their verdict already */
  readonly judged: Set<string>
  /** cars whose message SQS has not confirmed, by n */
  readonly unsent: Map<number, CarRecord>
  calls: CallCounts
  end: EndRecord | undefined
  done: boolean
}

export function journalFolder(stateDir: string): string {
  return join(stateDir, 'detector')
}

export function journalPath(stateDir: string, run: string): string {
  return join(journalFolder(stateDir), `${run}.ndjson`)
}

export function openJournal(
  stateDir: string,
  run: string,
  watch: DiskWatch,
): Promise<AppendLog<JournalLine>> {
  return AppendLog.open<JournalLine>(journalPath(stateDir, run), watch)
}

export function newRunState(run: string, settings: RunSettings, startedAt: number, queueSince = 0): RunState {
  return {
    run,
    settings,
    startedAt,
    queueSince,
    cars: 0,
    none: 0,
    failed: 0,
    through: '',
    imagesThrough: 0,
    skippedThrough: 0,
    judged: new Set(),
    unsent: new Map(),
    calls: {},
    end: undefined,
    done: false,
  }
}

/** The runs of a state folder that were not brought to their end, oldest first. */
export async function readUnfinishedRuns(
  stateDir: string,
  onGarbage: (path: string, lineNumber: number) => void,
): Promise<RunState[]> {
  const states: RunState[] = []
  for (const run of await journaledRuns(stateDir)) {
    const path = journalPath(stateDir, run)
    if ((await readTail<JournalLine>(path)).some((line) => 'done' in line)) continue
    const state = await readRunState(path, (lineNumber) => onGarbage(path, lineNumber))
    if (state) states.push(state)
  }
  return states
}

/** The runs that have a journal, oldest first. */
export async function journaledRuns(stateDir: string): Promise<string[]> {
  const names = await readdir(journalFolder(stateDir)).catch(() => [])
  return names
    .filter((name) => name.endsWith('.ndjson'))
    .map((name) => name.slice(0, -'.ndjson'.length))
    .sort()
}

/**
 * @param queueSince the queue's age, when it may be younger than the run
 * @returns undefined for a journal whose first line never reached the disk: nothing of that run was sent
 */
export async function readRunState(
  path: string,
  onGarbage: (lineNumber: number) => void,
  queueSince = 0,
): Promise<RunState | undefined> {
  let state: RunState | undefined
  for await (const line of readLog<JournalLine>(path, onGarbage)) {
    if ('settings' in line) state = newRunState(line.run, line.settings, line.at, queueSince)
    else if (state) apply(state, line)
  }
  return state
}

/** The one place that knows what each line means, for the running worker and for the one that comes after it. */
export function apply(state: RunState, line: Exclude<JournalLine, { settings: RunSettings }>): void {
  if ('car' in line) {
    state.cars = Math.max(state.cars, line.car)
    state.unsent.set(line.car, line)
    state.judged.add(line.key)
  } else if ('verdict' in line) {
    if (line.verdict === 'none') state.none++
    else state.failed++
    state.judged.add(line.key)
  } else if ('sent' in line) {
    if (line.at >= state.queueSince) state.unsent.delete(line.sent)
  } else if ('through' in line) {
    applyThrough(state, line)
  } else if ('end' in line) {
    state.end = line.end
  } else if ('done' in line) {
    state.done = true
  }
}

function applyThrough(state: RunState, line: ThroughRecord): void {
  state.through = line.through
  state.imagesThrough = line.images
  state.skippedThrough = line.skipped
  state.calls = line.calls
  for (const key of state.judged) if (compareListed(key, line.through) <= 0) state.judged.delete(key)
}

/** Pictures that have a verdict. */
export function judgedImages(state: RunState): number {
  return state.cars + state.none + state.failed
}
