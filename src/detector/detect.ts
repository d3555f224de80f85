import { createClients } from '../aws/clients.ts'
import { Fault } from '../aws/errors.ts'
import { Pictures } from '../aws/pictures.ts'
import { Queue } from '../aws/queue.ts'
import { untilItWorks } from '../aws/retry.ts'
import type { Settings } from '../config/schema.ts'
import type { DiskWatch } from '../daemon/append-log.ts'
import { diskWatch } from '../daemon/disk-watch.ts'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { endMessage } from '../protocol/messages.ts'
import { newRunId } from '../protocol/run-id.ts'
import {
  journalPath,
  judgedImages,
  newRunState,
  openJournal,
  type RunSettings,
  type RunState,
  readRunState,
  readUnfinishedRuns,
} from './journal.ts'
import { type DetectorParts, DetectorRun, giveUpMilliseconds } from './run.ts'

export type DetectContext = Omit<DetectorParts, 'queue' | 'byReference' | 'isResumed'>

/**
 * Worker A: one run over the bucket, or the rest of one that was interrupted.
 *
 * @returns the run as it ended; `done` is false when it was stopped on the way
 * @throws {ImgpipeError} when a person has to act first
 */
export async function detect(context: DetectContext): Promise<RunState> {
  const { settings, clients, troubles, stop, log } = context
  const queue = await Queue.open(clients.sqs, settings.queue, { troubles, stop, giveUpMilliseconds })
  const byReference = await isWhereRekognitionIs(context)
  const watch = diskWatch(context, 'waiting for room')
  const resumed = await settleEarlierRuns(context, watch, queue)
  const state = resumed ?? newRunState(newRunId(new Date()), runSettings(settings), Date.now())
  const journal = await openJournal(settings.stateDir, state.run, watch)
  try {
    if (judgedImages(state) === 0)
      await journal.append({ run: state.run, settings: state.settings, at: state.startedAt })
    clients.calls.add(state.calls)
    context.manager.ready()
    const parts = { ...context, queue, byReference, isResumed: resumed !== undefined }
    const isDone = await new DetectorRun(parts, state, journal).go()
    logEnd(context, state, isDone)
    return state
  } finally {
    await journal.close()
    log.debug('journal closed', { run: state.run })
  }
}

async function isWhereRekognitionIs({
  settings,
  clients,
  troubles,
  stop,
  log,
}: DetectContext): Promise<boolean> {
  const pictures = new Pictures(clients.s3, stop)
  const what = `read the bucket "${settings.bucket}"`
  const persistence = { what, troubles, signal: stop.soft, giveUpMilliseconds }
  const region = await untilItWorks(() => pictures.regionOf(settings.bucket), persistence)
  if (region === undefined || region === settings.region) return true
  log.info('the bucket is in another region than Rekognition: pictures are sent as bytes', {
    bucket: region,
    region: settings.region,
  })
  return false
}

/** Goes on with the run of these settings; runs of other settings are given up. @returns the run to go on with */
async function settleEarlierRuns(
  context: DetectContext,
  watch: DiskWatch,
  queue: Queue,
): Promise<RunState | undefined> {
  const { settings, log } = context
  const wanted = JSON.stringify(runSettings(settings))
  let resumed: RunState | undefined
  const onGarbage = (path: string, lineNumber: number) =>
    log.warn(`${path}: line ${lineNumber} is no record of a journal and is passed over`)
  for (const state of await readUnfinishedRuns(settings.stateDir, onGarbage)) {
    if (JSON.stringify(state.settings) === wanted && !resumed) resumed = state
    else await abandon(context, state, watch)
  }
  if (!resumed) return undefined
  const { run, cars } = resumed
  log.info(`going on with the interrupted run ${run}`, { pictures: judgedImages(resumed), cars })
  return (await withLostSends(context, resumed, queue)) ?? resumed
}

/** A queue that is younger than the run has taken the messages of its forerunner with it: they are sent again. */
async function withLostSends(
  { settings, log }: DetectContext,
  { run, startedAt }: RunState,
  queue: Queue,
): Promise<RunState | undefined> {
  const createdAt = (await queue.createdAt()) ?? 0
  // Within the same second the run may be the younger one: to send again is harmless.
  if (createdAt <= startedAt) return undefined
  log.warn(`the queue was made anew after run ${run} began: its messages are sent again`)
  return readRunState(journalPath(settings.stateDir, run), () => undefined, createdAt)
}

/** Tells the reader that a run will not be finished, so that it publishes nothing of it. */
async function abandon(
  { settings, log, troubles, stop }: DetectContext,
  state: RunState,
  watch: DiskWatch,
): Promise<void> {
  log.warn(`giving up the unfinished run ${state.run}: it was begun with other settings`)
  const clients = createClients({ region: state.settings.region })
  const journal = await openJournal(settings.stateDir, state.run, watch)
  const { run, cars: count, failed } = state
  try {
    const queue = await Queue.open(clients.sqs, state.settings.queue, { troubles, stop, giveUpMilliseconds })
    await queue.send(endMessage({ run, count, images: judgedImages(state), failed, abandoned: true }))
  } catch (error) {
    if (!isQueueGone(error)) throw error
    log.warn(`the queue of run ${run} is gone, so nobody waits for it`, { queue: state.settings.queue })
  } finally {
    clients.close()
  }
  await journal.append({ done: true, abandoned: true, at: Date.now() })
  await journal.close()
}

function isQueueGone(error: unknown): boolean {
  return error instanceof ImgpipeError && error.cause instanceof Fault && error.cause.kind === 'missing'
}

function runSettings({
  bucket,
  prefix,
  maxImages,
  label,
  minConfidence,
  queue,
  region,
}: Settings): RunSettings {
  return { bucket, prefix, maxImages, label, minConfidence, queue, region }
}

function logEnd({ log, manager }: DetectContext, state: RunState, isDone: boolean): void {
  const { run, cars, failed, skippedThrough, startedAt } = state
  const seconds = Math.round((Date.now() - startedAt) / 1000)
  const counts = { pictures: judgedImages(state), cars, failed, skipped: skippedThrough, seconds }
  manager.stopping()
  if (isDone) log.info(`run ${run} is done`, counts)
  else log.info(`run ${run} was stopped; the next start goes on with it`, counts)
}
