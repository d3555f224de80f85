import { ImageSteps } from '../aws/image-steps.ts'
import { detectLabels } from '../aws/rekognition.ts'
import type { S3Images } from '../aws/s3.ts'
import type { Queue } from '../aws/sqs.ts'
import { ByteSemaphore } from '../flow/byte-semaphore.ts'
import { Dispatcher } from '../flow/dispatcher.ts'
import { ImageAttempts } from '../flow/image-attempts.ts'
import type { RetryOptions } from '../flow/retry.ts'
import { TaskPool } from '../flow/task-pool.ts'
import { watchLoopSaturation } from '../host/loop-load.ts'
import type { AnswerStore } from '../state/answers.ts'
import { CallTally, DailyCalls } from '../state/calls.ts'
import type { DetectorRunRow, DetectorRuns } from '../state/detector-runs.ts'
import type { WorkerContext } from '../state/worker.ts'
import { CarSender } from './car-sender.ts'
import { askedConfidence, type KeptLabels } from './labels.ts'
import type { Listing } from './listing.ts'
import type { Progress } from './progress.ts'
import { DetectorRun } from './run.ts'
import { RunRecorder } from './run-recorder.ts'

export interface RunRequest {
  readonly row: DetectorRunRow
  readonly queue: Queue
  readonly queueCreatedAt: () => Promise<number | undefined>
  readonly byReference: boolean
  /** the run was interrupted before, and may be again: it starts slowly */
  readonly isResumed: boolean
  readonly listing: Listing
  readonly images: S3Images
  readonly runs: DetectorRuns
  readonly answers: AnswerStore<KeptLabels>
  readonly progress: Progress
  readonly retry: Omit<RetryOptions, 'what'>
}

const memoryBytes = 32 * 1024 * 1024
/** Images whose permit has not come: so that the next call never waits for the listing. */
const prefetch = 16

export interface CreatedRun {
  readonly run: DetectorRun
  /** calls per second; undefined until a throttled call has shown where the quota is */
  readonly rateFound: () => number | undefined
}

/** Builds one run with everything that it works with. */
export function createRun(context: WorkerContext, request: RunRequest): CreatedRun {
  const { settings, clients, database, outages, shutdown, log } = context
  const { row, retry, images, progress, answers, runs } = request
  const tally = new CallTally()
  let isQuotaSeen = false
  const dispatcher = new Dispatcher({
    operation: 'DetectLabels',
    maxRequestsPerSecond: settings.maxRequestsPerSecond,
    slowStart: request.isResumed,
    isSaturated: watchLoopSaturation(),
    shutdown,
    onOutcome: (outcome) => {
      isQuotaSeen ||= outcome === 'throttled'
      tally.add(outcome)
    },
  })
  const calls = new DailyCalls(database, settings)
  const minConfidence = askedConfidence(settings.minConfidence)
  const steps = new ImageSteps({
    operation: 'DetectLabels',
    detect: (image, signal) => detectLabels(clients.rekognition, image, minConfidence, signal),
    dispatcher,
    images,
    memory: new ByteSemaphore(memoryBytes),
    bucket: settings.bucket,
    aroundCall: (attempt) => calls.reserved('DetectLabels', attempt),
    onWitnessAnswer: () => calls.recordAnswer('DetectLabels'),
    readableKey: answers.anyKey(settings.prefix),
    signal: shutdown.graceful,
  })
  const pool = new TaskPool(() => dispatcher.concurrency.limit + prefetch)
  const attempts = new ImageAttempts({
    what: 'detect labels',
    maxAttempts: settings.maxAttempts,
    probes: steps.probes,
    witnesses: steps.witnesses,
    outages,
    pool,
    policy: retry.policy,
    signal: shutdown.graceful,
  })
  const recorder = new RunRecorder({ row, database, runs, answers, calls, tally, progress, clients })
  const run = new DetectorRun({
    ...request,
    database,
    recorder,
    steps,
    attempts,
    pool,
    sender: new CarSender({ database, runs, row, queue: request.queue, retry }),
    reuse: settings.reuseAnswers,
    log,
    signal: shutdown.graceful,
    cancel: () => shutdown.request(),
  })
  return { run, rateFound: () => (isQuotaSeen ? dispatcher.ratePerSecond : undefined) }
}
