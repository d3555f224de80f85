import { S3Images } from '../aws/s3.ts'
import { Queue } from '../aws/sqs.ts'
import { type RetryOptions, retryUntilSuccess } from '../flow/retry.ts'
import { TaskPool } from '../flow/task-pool.ts'
import { ShutdownError } from '../host/shutdown.ts'
import { CallTally, DailyCalls } from '../state/calls.ts'
import { ReaderRuns } from '../state/reader-runs.ts'
import type { WorkerContext } from '../state/worker.ts'
import { ForeignRuns } from './foreign-runs.ts'
import { HeldMessages } from './held-messages.ts'
import { IdleRuns } from './idle-runs.ts'
import { OnceBaseline } from './once.ts'
import { Progress } from './progress.ts'
import {
  createCoordinator,
  createDispatcher,
  createHandler,
  exchangeOf,
  retryOf,
  sharedRuns,
} from './reader-parts.ts'
import { ReaderWorker } from './worker.ts'

export interface ReadOptions {
  /** end when a run has been published */
  readonly once: boolean
}

/** A graceful shutdown waits for the long poll, so that is kept short; with --once nobody wants to wait. */
const waitSeconds = { resident: 10, once: 2 }
/** A killed reader's messages become visible after so long at most. */
const visibility = { minSeconds: 2, defaultSeconds: 30, maxSeconds: 60 }
/** Images whose permit has not come: they are downloaded meanwhile. */
const prefetch = 16
const startConfirmationMs = 2_000

/**
 * Worker B: reads messages until it is asked to stop.
 *
 * @throws {ImgpipeError} when a person has to act first
 */
export async function read(context: WorkerContext, options: ReadOptions): Promise<void> {
  const { settings, clients, log, manager, outages, shutdown } = context
  const queue = await openQueue(context)
  const visibilitySeconds = await visibilityOf(context, queue)
  await findBucket(context)
  const runs = new ReaderRuns(context.database)
  const exchange = exchangeOf(context)
  const once = options.once ? await OnceBaseline.start(context, runs, exchange) : undefined
  if (!once) await OnceBaseline.forget(context)
  const onOrderDeleted = () => once?.orderDeleted()
  const shared = exchange && sharedRuns(context, { runs, exchange, onOrderDeleted })
  const coordinator = createCoordinator(context, runs, shared, (row) => once?.published(row))
  const held = new HeldMessages({ queue, visibilitySeconds, outages, retry: retryOf(context) })
  const foreign = shared ? undefined : new ForeignRuns({ ...context, runs, visibilitySeconds })
  const tally = new CallTally()
  const calls = new DailyCalls(context.database, settings)
  const dispatcher = createDispatcher(context, runs.open().length > 0, tally)
  const pool = new TaskPool(() => dispatcher.concurrency.limit + prefetch)
  const failures = new Failures(() => shutdown.request())
  const onError = (error: unknown) => failures.add(error)
  const progress = new Progress({ ...context, runs, coordinator, calls, tally, onError })
  const handler = createHandler(context, {
    coordinator,
    foreign,
    exchange,
    held,
    dispatcher,
    pool,
    calls,
    onRecorded: () => progress.recorded(),
  })
  const idleRuns = new IdleRuns({
    runs,
    outages,
    isShared: shared !== undefined,
    visibilitySeconds,
  })
  const worker = new ReaderWorker({
    ...context,
    queue,
    pool,
    held,
    handler,
    coordinator,
    foreign,
    idleRuns,
    visibilitySeconds,
    waitSeconds: options.once ? waitSeconds.once : waitSeconds.resident,
    retry: retryOf(context),
  })
  log.info('the reader is ready', { queue: queue.url, bucket: settings.bucket, stateDir: settings.stateDir })
  try {
    coordinator.resume()
    const following = shared?.follow(coordinator).catch(onError)
    await worker.run()
    await following
    failures.throwFirst()
    await once?.end()
  } finally {
    manager.stopping()
    shutdown.request()
    progress.end()
    clients.close()
    log.info('the reader has stopped')
  }
}

/** What goes wrong beside the worker's loop: it ends the loop, and is then thrown as its reason. */
class Failures {
  readonly #stop: () => void
  #first: { error: unknown } | undefined

  constructor(stop: () => void) {
    this.#stop = stop
  }

  add(error: unknown): void {
    if (!(error instanceof ShutdownError)) this.#first ??= { error }
    this.#stop()
  }

  throwFirst(): void {
    if (this.#first) throw this.#first.error
  }
}

/** At the start a queue or a bucket that does not exist is a mistake in the settings. */
function startRetryOf(context: WorkerContext, what: string): RetryOptions {
  const retry = retryOf(context)
  const { manager, outages } = context
  const onAttempt = () => {
    manager.alive()
    manager.status(outages.summary ?? `starting: ${what}`)
  }
  return { ...retry, what, onAttempt, policy: { ...retry.policy, missingMs: startConfirmationMs } }
}

function openQueue(context: WorkerContext): Promise<Queue> {
  const { clients, settings, shutdown } = context
  return retryUntilSuccess(
    () => Queue.open(clients.sqs, settings.queue, shutdown.forced),
    startRetryOf(context, `find the queue "${settings.queue}"`),
  )
}

async function visibilityOf(context: WorkerContext, queue: Queue): Promise<number> {
  const { visibilitySeconds = visibility.defaultSeconds } = await retryUntilSuccess(
    () => queue.attributes(),
    startRetryOf(context, `read the attributes of the queue ${queue.url}`),
  )
  return Math.max(visibility.minSeconds, Math.min(visibilitySeconds, visibility.maxSeconds))
}

/** A bucket that does not exist is reported now and not with the first image; one that may not be listed is fine. */
async function findBucket(context: WorkerContext): Promise<void> {
  const { clients, settings, shutdown } = context
  const images = new S3Images(clients.s3, shutdown)
  await retryUntilSuccess(
    () => images.bucketRegion(settings.bucket),
    startRetryOf(context, `find the bucket "${settings.bucket}"`),
  )
}
