import { callDollars, formatDollars } from '../aws/prices.ts'
import type { S3Images } from '../aws/s3.ts'
import type { Settings } from '../config/schema.ts'
import type { RetryOptions } from '../flow/retry.ts'
import { type AnswerSource, AnswerStore } from '../state/answers.ts'
import { countReserved } from '../state/calls.ts'
import type { StateDatabase } from '../state/database.ts'
import { type DetectorRunRow, DetectorRuns } from '../state/detector-runs.ts'
import { readMeta } from '../state/meta.ts'
import { withDatabase } from '../state/run-status.ts'
import { isSameRun, unchangedSince } from './earlier-runs.ts'
import type { KeptLabels } from './labels.ts'
import {
  estimatedTextCalls,
  type PlanLimits,
  planDays,
  planLines,
  planOf,
  type RunPlan,
  usableAnswers,
} from './plan.ts'

/** What the next run would do, as far as the bucket and this host's database tell. */
export interface RunPreview {
  readonly plan: RunPlan
  /** of the reader, estimated */
  readonly textCalls: number
  readonly limits: PlanLimits
  /** a run that was interrupted, and would be resumed */
  readonly unfinishedRun: string | undefined
  /** the run since which nothing has changed: `imgpipe detect` would end at once */
  readonly unchangedSince: string | undefined
}

/**
 * Plans the next run. Calls no Rekognition, writes nothing and needs no lock, so it may run beside the detector.
 *
 * @throws {ImgpipeError} {ShutdownError}
 */
export async function previewRun(
  settings: Settings,
  images: S3Images,
  retry: Omit<RetryOptions, 'what'>,
): Promise<RunPreview> {
  const { stateDir, bucket, prefix, maxImages } = settings
  const known = await readKnown(settings)
  const { lastRun, lastEnd, unfinished } = known
  const listing = { images, bucket, prefix, maxImages, retry }
  const runs = {
    lastDone: () => lastRun,
    lastEnd: () => lastEnd,
    failedAmong: (seq: number, keys: readonly string[]) => failedAmong(stateDir, seq, keys),
  }
  const usable = usableAnswers(settings, { resumed: unfinished })
  const plan = await planOf(listing, { settings, answers: storedAnswers(stateDir, bucket), runs, usable })
  return {
    plan,
    textCalls: estimatedTextCalls(plan),
    limits: known.limits,
    unfinishedRun: unfinished?.run,
    unchangedSince: unfinished ? undefined : unchangedSince(runs, settings, plan)?.run,
  }
}

/** The preview for people. */
export function previewLines({ plan, textCalls, limits, ...runs }: RunPreview): string[] {
  const { unfinishedRun, unchangedSince } = runs
  const text = `plan: about ${textCalls} DetectText calls by the reader, ${formatDollars(callDollars(textCalls))}`
  return [
    ...planLines(plan, limits),
    ...(textCalls > 0 ? [text] : []),
    ...(unfinishedRun === undefined ? [] : [`"imgpipe detect" resumes the interrupted run ${unfinishedRun}`]),
    ...(unchangedSince === undefined
      ? []
      : [`nothing new since run ${unchangedSince}: "imgpipe detect" ends at once`]),
  ]
}

/** The preview for programs. */
export function previewRecord({ plan, textCalls, limits, ...runs }: RunPreview): object {
  const { calls, isSameSet: _, known: _known, newCars: _newCars, ...counts } = plan
  const { ratePerSecond } = limits
  const isRateKnown = ratePerSecond > 0
  return {
    ...counts,
    detectLabelsCalls: calls,
    detectTextCalls: textCalls,
    dollars: { detectLabels: callDollars(calls), detectText: callDollars(textCalls) },
    ratePerSecond: isRateKnown ? ratePerSecond : undefined,
    seconds: isRateKnown ? Math.ceil(calls / ratePerSecond) : undefined,
    days: planDays(plan, limits),
    unfinishedRun: runs.unfinishedRun,
    unchangedSince: runs.unchangedSince,
  }
}

interface Known {
  readonly lastRun: DetectorRunRow | undefined
  readonly lastEnd: string | undefined
  readonly limits: PlanLimits
  readonly unfinished: DetectorRunRow | undefined
}

function readKnown(settings: Settings): Promise<Known> {
  return withDatabase(settings.stateDir, 'detector', (database) => {
    const { maxCallsPerDay } = settings
    if (!database) {
      const limits = { ratePerSecond: 0, maxCallsPerDay, callsLeftToday: maxCallsPerDay }
      return { lastRun: undefined, lastEnd: undefined, limits, unfinished: undefined }
    }
    return database.read(() => {
      const runs = new DetectorRuns(database)
      const lastRun = runs.lastDone(settings)
      return {
        lastRun,
        lastEnd: runs.lastEnd(settings),
        limits: planLimits(database, settings),
        unfinished: runs.unfinished().find((row) => isSameRun(row.settings, settings)),
      }
    })
  })
}

/** What is known of the limits of the next run. */
export function planLimits(
  database: StateDatabase,
  { maxCallsPerDay }: Pick<Settings, 'maxCallsPerDay'>,
): PlanLimits {
  const rate = Number(readMeta(database, 'rate-per-second') ?? 0)
  return {
    // Without a quota the rate has no bound.
    ratePerSecond: Number.isFinite(rate) ? rate : 0,
    maxCallsPerDay,
    callsLeftToday: Math.max(0, maxCallsPerDay - countReserved(database, Date.now())),
  }
}

/** A listing may take minutes: the database is opened for each page (StateDatabase.openReadOnly). */
function storedAnswers(stateDir: string, bucket: string): AnswerSource<KeptLabels> {
  return {
    between: (range) =>
      withDatabase(stateDir, 'detector', (database) => {
        if (!database) return []
        const answers = new AnswerStore<KeptLabels>(database, bucket, 'DetectLabels')
        return database.read(() => answers.between(range))
      }),
  }
}

function failedAmong(stateDir: string, seq: number, keys: readonly string[]): Promise<ReadonlySet<string>> {
  return withDatabase(stateDir, 'detector', (database) =>
    database ? database.read(() => new DetectorRuns(database).failedAmong(seq, keys)) : new Set<string>(),
  )
}
