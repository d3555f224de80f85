import { ImageSteps } from '../aws/image-steps.ts'
import { detectText } from '../aws/rekognition.ts'
import { S3Images } from '../aws/s3.ts'
import { ByteSemaphore } from '../flow/byte-semaphore.ts'
import { Dispatcher } from '../flow/dispatcher.ts'
import { ImageAttempts } from '../flow/image-attempts.ts'
import type { RetryOptions, RetryPolicy } from '../flow/retry.ts'
import type { TaskPool } from '../flow/task-pool.ts'
import { retryOnFullDisk } from '../host/disk.ts'
import { watchLoopSaturation } from '../host/loop-load.ts'
import { sleep } from '../host/shutdown.ts'
import type { TextLine } from '../protocol/outcomes.ts'
import { AnswerStore } from '../state/answers.ts'
import { type CallTally, type DailyCalls, DailyLimitReached } from '../state/calls.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'
import type { WorkerContext } from '../state/worker.ts'
import { ResultsExchange } from './exchange.ts'
import type { ForeignRuns } from './foreign-runs.ts'
import type { HeldMessages } from './held-messages.ts'
import { MessageHandler } from './message-handler.ts'
import { RunCoordinator } from './run-coordinator.ts'
import { SharedRuns } from './sharing.ts'
import { TextReader } from './texts.ts'

const memoryBytes = 32 * 1024 * 1024
const dailyLimitPollMs = 30_000

/** The reader heals by itself: nothing that happens while it runs ends it. */
export function retryOf({ outages, shutdown, credentialsMs }: WorkerContext): Omit<RetryOptions, 'what'> {
  const never = Number.POSITIVE_INFINITY
  const policy: RetryPolicy = { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs }
  return { outages, signal: shutdown.graceful, policy }
}

/** What several readers agree on, with `resultsBucket`. */
export function exchangeOf(context: WorkerContext): ResultsExchange | undefined {
  const { settings, clients, shutdown } = context
  if (settings.resultsBucket === '') return undefined
  return new ResultsExchange(clients.s3, settings.resultsBucket, retryOf(context), shutdown)
}

export function sharedRuns(
  context: WorkerContext,
  parts: { runs: ReaderRuns; exchange: ResultsExchange; onOrderDeleted: () => void },
): SharedRuns {
  const { settings, database, log, shutdown } = context
  return new SharedRuns({ ...settings, ...parts, database, log, signal: shutdown.graceful })
}

export function createCoordinator(
  context: WorkerContext,
  runs: ReaderRuns,
  sharing: SharedRuns | undefined,
  onPublished: (row: ReaderRunRow) => void,
): RunCoordinator {
  const { settings, waitForSpace } = context
  const parts = {
    ...context,
    ...settings,
    runs,
    whenSpace: <T>(path: string, write: () => Promise<T>) => retryOnFullDisk(path, waitForSpace, write),
    onPublished,
  }
  return new RunCoordinator(parts, sharing)
}

export function createDispatcher(
  { settings, shutdown }: WorkerContext,
  isResumed: boolean,
  tally: CallTally,
): Dispatcher {
  return new Dispatcher({
    operation: 'DetectText',
    maxRequestsPerSecond: settings.maxRequestsPerSecond,
    slowStart: isResumed,
    isSaturated: watchLoopSaturation(),
    shutdown,
    onOutcome: (outcome) => tally.add(outcome),
  })
}

export function createHandler(
  context: WorkerContext,
  parts: {
    coordinator: RunCoordinator
    foreign: ForeignRuns | undefined
    exchange: ResultsExchange | undefined
    held: HeldMessages
    dispatcher: Dispatcher
    pool: TaskPool
    calls: DailyCalls
    onRecorded: () => void
  },
): MessageHandler {
  const { settings, clients, database, shutdown } = context
  const { dispatcher, pool, exchange, calls } = parts
  const answers = new AnswerStore<readonly TextLine[]>(database, settings.bucket, 'DetectText')
  const steps = new ImageSteps({
    operation: 'DetectText',
    detect: (image, signal) => detectText(clients.rekognition, image, signal),
    dispatcher,
    images: new S3Images(clients.s3, shutdown),
    memory: new ByteSemaphore(memoryBytes),
    bucket: settings.bucket,
    aroundCall: (attempt) => calls.reserved('DetectText', attempt),
    onWitnessAnswer: () => calls.recordAnswer('DetectText'),
    readableKey: answers.anyKey(''),
    signal: shutdown.graceful,
  })
  const attempts = new ImageAttempts({
    what: 'read the text of images',
    maxAttempts: settings.maxAttempts,
    probes: steps.probes,
    witnesses: steps.witnesses,
    ...retryOf(context),
    pool,
  })
  const texts = new TextReader({
    steps,
    attempts,
    answers,
    exchange,
    bucket: settings.bucket,
    waitForCalls: () => waitForCalls(context, calls, pool),
  })
  return new MessageHandler({ ...context, ...settings, ...parts, texts, answers })
}

/** Waits while the daily limit is reached; holds no slot meanwhile. @throws {ShutdownError} */
async function waitForCalls(
  { outages, shutdown, settings }: WorkerContext,
  calls: DailyCalls,
  pool: TaskPool,
): Promise<void> {
  const what = 'call Rekognition'
  for (; calls.isExhausted; shutdown.graceful.throwIfAborted()) {
    const { message, continuesAt } = new DailyLimitReached(settings.maxCallsPerDay, calls.continuesAt)
    outages.wait(what, message, { atOnce: true })
    const ms = Math.min(dailyLimitPollMs, continuesAt - Date.now())
    await pool.outsideSlot(() => sleep(ms, shutdown.graceful))
  }
  outages.succeeded(what)
}
