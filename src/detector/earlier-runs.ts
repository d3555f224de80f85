import { createClients } from '../aws/clients.ts'
import { Queue } from '../aws/sqs.ts'
import type { Settings } from '../config/schema.ts'
import { Failure } from '../flow/failure.ts'
import { type RetryOptions, retryUntilSuccess } from '../flow/retry.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { ShutdownError } from '../host/shutdown.ts'
import { endMessage } from '../protocol/messages.ts'
import {
  type DetectorRunRow,
  type DetectorRuns,
  type RunSettings,
  runSettingKeys,
} from '../state/detector-runs.ts'
import type { WorkerContext } from '../state/worker.ts'
import type { RunPlan } from './plan.ts'

/** An old queue may be gone, or another account's by now: it is not worth more than this. */
const abandonPolicy = { unavailableMs: 30_000, deniedMs: 0, missingMs: 0, credentialsMs: 0 }

/** Whether two runs would come to the same, setting by setting. */
export function isSameRun(a: RunSettings, b: RunSettings): boolean {
  return runSettingKeys.every((key) => a[key] === b[key])
}

/**
 * The run since which nothing has changed: with the same settings it covered the same images, no answer is missing, and no
 * other run can have taken its place on the readers of the queue.
 *
 * @returns undefined when a run has something to do
 */
export function unchangedSince(
  runs: Pick<DetectorRuns, 'lastDone' | 'lastEnd'>,
  settings: RunSettings & Pick<Settings, 'reuseAnswers'>,
  plan: RunPlan,
): DetectorRunRow | undefined {
  const lastRun = runs.lastDone(settings)
  if (!lastRun || lastRun.run !== runs.lastEnd(settings)) return undefined
  const isSame = isSameRun(lastRun.settings, settings) && plan.isSameSet
  return isSame && settings.reuseAnswers && plan.calls === 0 ? lastRun : undefined
}

/**
 * Finds the unfinished run that these settings resume, and abandons the others: their readers are told not to wait for
 * them. Nothing that an old run needs can keep a new one from starting.
 *
 * @param wanted settings, and whether only answers of the run itself are to be used
 */
export async function resumeOrAbandonRuns(
  context: WorkerContext,
  runs: DetectorRuns,
  wanted: { settings: RunSettings; fresh: boolean },
): Promise<DetectorRunRow | undefined> {
  const { log } = context
  let resumed: DetectorRunRow | undefined
  for (const row of runs.unfinished()) {
    const isWanted = isSameRun(row.settings, wanted.settings) && (row.fresh || !wanted.fresh)
    const isComplete = runs.isNumberedWithoutGaps(row.seq)
    if (isWanted && isComplete && !resumed) resumed = row
    else
      await abandon(
        context,
        runs,
        row,
        isComplete ? reasonOf(row, wanted) : 'the database has lost images of it',
      )
  }
  if (resumed) {
    const { run, seq, asked } = resumed
    log.info(`resuming the interrupted run ${run}`, { answered: asked, cars: runs.countCars(seq) })
  }
  return resumed
}

function reasonOf(row: DetectorRunRow, wanted: { settings: RunSettings }): string {
  if (!isSameRun(row.settings, wanted.settings)) return 'started with different settings'
  return row.fresh ? 'another one is resumed' : 'every image is to be analysed again'
}

async function abandon(
  context: WorkerContext,
  runs: DetectorRuns,
  row: DetectorRunRow,
  reason: string,
): Promise<void> {
  const { log, database } = context
  log.warn(`abandoning unfinished run ${row.run}: ${reason}; its answers are kept`)
  try {
    await sendAbandoned(context, runs, row)
  } catch (error) {
    if (error instanceof ShutdownError || !(error instanceof ImgpipeError || error instanceof Failure))
      throw error
    log.warn(`no reader could be told that run ${row.run} is abandoned: ${error.message}`)
  }
  await database.commit(() => runs.setState(row.seq, 'abandoned'))
}

async function sendAbandoned(
  { outages, shutdown, settings, clients }: WorkerContext,
  runs: DetectorRuns,
  { run, seq, images, failed, settings: { bucket, label, region, queue: queueName } }: DetectorRunRow,
): Promise<void> {
  const own = region === settings.region ? undefined : createClients({ region })
  const retry: RetryOptions = {
    what: `tell the readers of the queue "${queueName}" that run ${run} is abandoned`,
    policy: abandonPolicy,
    outages,
    signal: shutdown.graceful,
  }
  try {
    await retryUntilSuccess(async () => {
      const queue = await Queue.open((own ?? clients).sqs, queueName, shutdown.forced)
      const count = runs.countCars(seq)
      const message = endMessage({ run, count, images, failed, abandoned: true, bucket, label })
      const [rejected] = await queue.sendBatch([message])
      if (rejected) throw new Failure('transient', 'SendMessageBatch', rejected.reason)
    }, retry)
  } finally {
    own?.close()
  }
}
