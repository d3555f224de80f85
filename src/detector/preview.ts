import { callDollars, formatDollars } from '../aws/prices.ts'
import type { S3Images } from '../aws/s3.ts'
import type { Settings } from '../config/schema.ts'
import type { RetryOptions } from '../flow/retry.ts'
import { type AnswerSource, AnswerStore } from '../state/answers.ts'
import { type DetectorRunRow, DetectorRuns } from '../state/detector-runs.ts'
import { readMeta } from '../state/meta.ts'
import { withDatabase } from '../state/run-status.ts'
import { isSameRun, unchangedSince } from './earlier-runs.ts'
import type { KeptLabels } from './labels.ts'
import { estimatedTextCalls, planLines, planOf, type RunPlan } from './plan.ts'

/** What the next run would do, as far as the bucket and this host's database tell. */
export interface RunPreview {
  readonly plan: RunPlan
  /** of the reader, estimated */
  readonly textCalls: number
  /** the quota last seen; 0 = unknown */
  readonly ratePerSecond: number
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
  const { lastRun, lastSent } = known
  const listing = { images, bucket, prefix, maxImages, retry }
  const runs = {
    lastDone: () => lastRun,
    lastSent: () => lastSent,
    failedAmong: (seq: number, keys: readonly string[]) => failedAmong(stateDir, seq, keys),
  }
  const plan = await planOf(listing, { settings, answers: storedAnswers(stateDir, bucket), runs })
  return {
    plan,
    textCalls: estimatedTextCalls(plan),
    ratePerSecond: known.ratePerSecond,
    unfinishedRun: known.unfinishedRun,
    unchangedSince: known.unfinishedRun === undefined ? unchangedSince(runs, settings, plan)?.run : undefined,
  }
}

/** The preview for people. */
export function previewLines({ plan, textCalls, ratePerSecond, ...runs }: RunPreview): string[] {
  const { unfinishedRun, unchangedSince } = runs
  const text = `plan: about ${textCalls} DetectText calls by the reader, ${formatDollars(callDollars(textCalls))}`
  return [
    ...planLines(plan, ratePerSecond),
    ...(textCalls > 0 ? [text] : []),
    ...(unfinishedRun === undefined ? [] : [`"imgpipe detect" resumes the interrupted run ${unfinishedRun}`]),
    ...(unchangedSince === undefined
      ? []
      : [`nothing new since run ${unchangedSince}: "imgpipe detect" ends at once`]),
  ]
}

/** The preview for programs. */
export function previewRecord({ plan, textCalls, ratePerSecond, ...runs }: RunPreview): object {
  const { calls, isSameSet: _, ...counts } = plan
  const isRateKnown = ratePerSecond > 0
  return {
    ...counts,
    detectLabelsCalls: calls,
    detectTextCalls: textCalls,
    dollars: { detectLabels: callDollars(calls), detectText: callDollars(textCalls) },
    ratePerSecond: isRateKnown ? ratePerSecond : undefined,
    seconds: isRateKnown ? Math.ceil(calls / ratePerSecond) : undefined,
    unfinishedRun: runs.unfinishedRun,
    unchangedSince: runs.unchangedSince,
  }
}

interface Known {
  readonly lastRun: DetectorRunRow | undefined
  readonly lastSent: DetectorRunRow | undefined
  readonly ratePerSecond: number
  readonly unfinishedRun: string | undefined
}

const nothingKnown: Known = {
  lastRun: undefined,
  lastSent: undefined,
  ratePerSecond: 0,
  unfinishedRun: undefined,
}

function readKnown(settings: Settings): Promise<Known> {
  return withDatabase(settings.stateDir, 'detector', (database) => {
    if (!database) return nothingKnown
    return database.read(() => {
      const runs = new DetectorRuns(database)
      const lastRun = runs.lastDone(settings)
      return {
        lastRun,
        lastSent: runs.lastSent(settings),
        ratePerSecond: finite(Number(readMeta(database, 'rate-per-second') ?? 0)),
        unfinishedRun: runs.unfinished().find((row) => isSameRun(row.settings, settings))?.run,
      }
    })
  })
}

/** Without a quota the rate has no bound. */
function finite(perSecond: number): number {
  return Number.isFinite(perSecond) ? perSecond : 0
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
