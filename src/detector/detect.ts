import { callDollars, formatDollars } from '../aws/prices.ts'
import { S3Images } from '../aws/s3.ts'
import { Queue } from '../aws/sqs.ts'
import { type RetryOptions, type RetryPolicy, retryUntilSuccess } from '../flow/retry.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { ShutdownError } from '../host/shutdown.ts'
import { newRunId } from '../protocol/run-id.ts'
import { AnswerStore } from '../state/answers.ts'
import { DailyLimitReached } from '../state/calls.ts'
import { type DetectorRunRow, DetectorRuns, type RunSettings } from '../state/detector-runs.ts'
import { writeMeta } from '../state/meta.ts'
import type { WorkerContext } from '../state/worker.ts'
import { resumeOrAbandonRuns, unchangedSince } from './earlier-runs.ts'
import type { KeptLabels } from './labels.ts'
import type { Listing } from './listing.ts'
import { planLines, planOf, type RunPlan, type UsableAnswers, usableAnswers } from './plan.ts'
import { planLimits } from './preview.ts'
import { Progress } from './progress.ts'
import { createRun } from './run-factory.ts'

export interface DetectOptions {
  /** ask about every image again, on both workers */
  readonly fresh: boolean
  /** run although nothing is new: the reader retries its failures */
  readonly all: boolean
}

const minute = 60_000
/** The first answers of a service decide at the start: a person waits, and nothing is under way yet. */
const startConfirmationMs = 2_000

/**
 * Worker A: one run over the bucket, or the rest of an interrupted one, or nothing where nothing is new.
 *
 * @throws {ImgpipeError} `interrupted` when the next start has to resume the run, `all-failed`, or what a person has
 * to act on
 */
export async function detect(context: WorkerContext, options: DetectOptions): Promise<void> {
  const progress = new Progress(context)
  const { manager } = context
  try {
    await new Detection(context, options, progress).run()
  } catch (error) {
    if (error instanceof DailyLimitReached)
      throw new ImgpipeError('interrupted', `Interrupted: ${error.message}.`)
    if (error instanceof ShutdownError) {
      throw new ImgpipeError('interrupted', 'Interrupted; the next start resumes the run.')
    }
    throw error
  } finally {
    manager.stopping()
    progress.end()
  }
}

class Detection {
  readonly #context: WorkerContext
  readonly #options: DetectOptions
  readonly #progress: Progress
  readonly #runs: DetectorRuns
  readonly #answers: AnswerStore<KeptLabels>
  readonly #images: S3Images

  constructor(context: WorkerContext, options: DetectOptions, progress: Progress) {
    this.#context = context
    this.#options = options
    this.#progress = progress
    this.#runs = new DetectorRuns(context.database)
    this.#answers = new AnswerStore(context.database, context.settings.bucket, 'DetectLabels')
    this.#images = new S3Images(context.clients.s3, context.shutdown)
  }

  async run(): Promise<void> {
    const { manager, settings } = this.#context
    this.#progress.phase(`opening the queue "${settings.queue}"`)
    const queue = await this.#openQueue()
    this.#progress.phase(`finding the bucket "${settings.bucket}"`)
    const byReference = await this.#isBucketInRegion()
    const queueCreatedAt = () => this.#queueCreatedAt(queue)
    const wanted = { settings: runSettings(settings), fresh: this.#options.fresh }
    const resumed = await resumeOrAbandonRuns(this.#context, this.#runs, wanted)
    if (resumed && this.#context.isInteractive)
      await this.#plan(usableAnswers(this.#context.settings, { resumed }))
    const row = resumed ?? (await this.#begin(await queueCreatedAt()))
    manager.ready()
    if (!row) return
    const parts = { queue, byReference, isResumed: resumed !== undefined, row, queueCreatedAt }
    const { run, rateFound } = createRun(this.#context, {
      ...parts,
      listing: this.#listing,
      images: this.#images,
      runs: this.#runs,
      answers: this.#answers,
      progress: this.#progress,
      retry: this.#retry,
    })
    try {
      await run.run()
    } finally {
      await this.#rememberRate(rateFound()).catch(() => undefined)
    }
    await this.#finish(row)
  }

  get #retry(): Omit<RetryOptions, 'what'> {
    const { outages, shutdown } = this.#context
    return { outages, signal: shutdown.graceful, policy: this.#policy(minute) }
  }

  #policy(missingMs: number): RetryPolicy {
    const { credentialsMs } = this.#context
    return { unavailableMs: 15 * minute, deniedMs: minute, missingMs, credentialsMs }
  }

  #openQueue(): Promise<Queue> {
    const { clients, settings, shutdown } = this.#context
    const what = `find the queue "${settings.queue}"`
    const retry = { ...this.#retry, policy: this.#policy(startConfirmationMs) }
    return retryUntilSuccess(() => Queue.open(clients.sqs, settings.queue, shutdown.forced), {
      ...retry,
      what,
    })
  }

  async #isBucketInRegion(): Promise<boolean> {
    const { settings, log } = this.#context
    const what = `find the bucket "${settings.bucket}"`
    const retry = { ...this.#retry, policy: this.#policy(startConfirmationMs) }
    const region = await retryUntilSuccess(() => this.#images.bucketRegion(settings.bucket), {
      ...retry,
      what,
    })
    if (region === undefined || region === settings.region) return true
    log.info('the bucket is in another region than Rekognition: images are sent as bytes', {
      bucket: region,
      region: settings.region,
    })
    return false
  }

  async #queueCreatedAt(queue: Queue): Promise<number | undefined> {
    const what = `read the attributes of the queue ${queue.url}`
    const { createdAt } = await retryUntilSuccess(() => queue.attributes(), { ...this.#retry, what })
    return createdAt
  }

  /** @returns undefined when nothing is new */
  async #begin(queueCreatedAt: number | undefined): Promise<DetectorRunRow | undefined> {
    const { settings, log } = this.#context
    const wanted = runSettings(settings)
    const unchanged = await this.#unchangedRun(queueCreatedAt)
    if (unchanged) {
      log.info(`nothing new since run ${unchanged.run}`)
      return undefined
    }
    const fresh = this.#options.fresh || !settings.reuseAnswers
    const begun = { settings: wanted, fresh, at: Date.now(), queueCreatedAt }
    const row = await this.#runs.begin(newRunId(new Date(), this.#runs.newest()), begun)
    const where = settings.prefix === '' ? settings.bucket : `${settings.bucket}/${settings.prefix}`
    log.info(`run ${row.run} started`, { bucket: where, queue: settings.queue, label: settings.label })
    return row
  }

  /** A first run has nothing to compare with: it starts at once, unless somebody waits for the estimate. */
  async #unchangedRun(queueCreatedAt: number | undefined): Promise<DetectorRunRow | undefined> {
    const { settings, isInteractive } = this.#context
    const { fresh, all } = this.#options
    const hasEarlier = this.#runs.lastDone(settings) ?? this.#answers.anyKey(settings.prefix)
    if (!isInteractive && (fresh || hasEarlier === undefined)) return undefined
    return this.#plan(usableAnswers(settings, { fresh }), (plan) => {
      const unchanged = fresh || all ? undefined : unchangedSince(this.#runs, settings, plan)
      // A queue that was re-created has lost what its readers did not receive.
      return unchanged?.queueCreatedAt === queueCreatedAt ? unchanged : undefined
    })
  }

  /** Logs what the run will do, unless `unchanged` finds that it need not begin. @returns what that has found */
  async #plan<Run>(
    usable: UsableAnswers,
    unchanged?: (plan: RunPlan) => Run | undefined,
  ): Promise<Run | undefined> {
    const { settings, log, database } = this.#context
    this.#progress.phase(`planning: listing the bucket "${settings.bucket}"`)
    const plan = await planOf(this.#listing, { settings, answers: this.#answers, runs: this.#runs, usable })
    this.#progress.total = plan.images
    const found = unchanged?.(plan)
    if (found === undefined)
      for (const line of planLines(plan, planLimits(database, settings))) log.info(line)
    return found
  }

  get #listing(): Listing {
    const { bucket, prefix, maxImages } = this.#context.settings
    return { images: this.#images, bucket, prefix, maxImages, retry: this.#retry }
  }

  async #rememberRate(perSecond: number | undefined): Promise<void> {
    const { database } = this.#context
    if (perSecond === undefined) return
    await database.commit(() => writeMeta(database, 'rate-per-second', String(perSecond)))
  }

  async #finish({ run }: DetectorRunRow): Promise<void> {
    const { log, settings } = this.#context
    const row = this.#runs.get(run)
    if (!row) return
    const { images, cars, failed, asked, reused, startedAt } = row
    // The clock may have been set back.
    const seconds = Math.max(0, Math.round((Date.now() - startedAt) / 1000))
    const cost = { calls: asked, cost: formatDollars(callDollars(asked)) }
    const saved = reused > 0 ? { reused, saved: formatDollars(callDollars(reused)) } : {}
    log.info(`run ${run} is done`, { images, cars, failed, ...cost, ...saved, seconds })
    await this.#runs.deleteSentCars()
    await this.#runs.prune(settings.keepRuns)
    if (images === 0 || failed < images) return
    throw new ImgpipeError(
      'all-failed',
      `None of the ${images} images of run ${run} could be analysed: the reasons are in the log and in "imgpipe status".`,
    )
  }
}

function runSettings({
  bucket,
  prefix,
  maxImages,
  label,
  minConfidence,
  queue,
  region,
}: RunSettings): RunSettings {
  return { bucket, prefix, maxImages, label, minConfidence, queue, region }
}
