import type { ImageSteps } from '../aws/image-steps.ts'
import type { LabelsAnswer } from '../aws/rekognition.ts'
import type { ListedObject } from '../aws/s3.ts'
import { Failure } from '../flow/failure.ts'
import { type ImageAttempts, ImageFailure } from '../flow/image-attempts.ts'
import type { TaskPool } from '../flow/task-pool.ts'
import type { Log } from '../host/log.ts'
import { isImageKey } from '../protocol/keys.ts'
import { endMessage } from '../protocol/messages.ts'
import { type AnswerStore, answersAbout, isUsable, type StoredAnswer } from '../state/answers.ts'
import type { StateDatabase } from '../state/database.ts'
import type { DetectorRunRow, DetectorRuns } from '../state/detector-runs.ts'
import type { CarSender } from './car-sender.ts'
import { type KeptLabels, keptLabels, readLabels } from './labels.ts'
import { countImages, type ListedPage, type Listing, listPages } from './listing.ts'
import type { Progress } from './progress.ts'
import type { RunRecorder } from './run-recorder.ts'

/** What one run works with; run-factory.ts builds it. */
export interface DetectorRunParts {
  readonly row: DetectorRunRow
  readonly database: StateDatabase
  readonly runs: DetectorRuns
  readonly answers: AnswerStore<KeptLabels>
  readonly recorder: RunRecorder
  readonly listing: Listing
  readonly steps: ImageSteps<LabelsAnswer>
  readonly byReference: boolean
  readonly attempts: ImageAttempts
  readonly pool: TaskPool
  readonly sender: CarSender
  readonly progress: Progress
  /** answers of earlier runs may be used */
  readonly reuse: boolean
  /** when the queue was created, ms since 1970, if it may be known */
  readonly queueCreatedAt: () => Promise<number | undefined>
  readonly log: Log
  readonly signal: AbortSignal
  /** aborts the signal */
  readonly cancel: () => void
}

type MarkDecided = (how: { isReused: boolean }) => void

const slotWaitMs = 10_000

/**
 * One run over the bucket. An image goes through these states, in each of which a crash may leave it:
 *
 *     listed → (asked) → answered and decided, in one commit → a car: sent → confirmed
 *
 * What is listed and not decided is decided by the next process: from its answer, or by asking. What has an answer is
 * never asked about again. A car that is not confirmed is sent again with the same number, which the reader knows.
 */
export class DetectorRun {
  readonly #parts: DetectorRunParts
  #isCounting = false

  constructor(parts: DetectorRunParts) {
    this.#parts = parts
  }

  /**
   * @returns when "-1" is in the queue
   * @throws {ShutdownError} {DailyLimitReached} when it was interrupted: the next start resumes it
   * @throws {ImgpipeError} when a person has to act
   */
  async run(): Promise<void> {
    const { row, pool, sender, signal, recorder, cancel } = this.#parts
    try {
      if (row.state === 'open') await this.#decideAll()
      signal.throwIfAborted()
      await this.#end()
    } catch (error) {
      // Images that wait for a service must not keep the error from being reported.
      cancel()
      throw error
    } finally {
      // After an error too: what is answered meanwhile is kept.
      await this.#settle(() => pool.waitUntilIdle(Number.POSITIVE_INFINITY))
      await this.#settle(() => sender.flush())
      await this.#settle(() => recorder.checkpoint())
    }
  }

  /** The error that ended the run is the one to report. */
  async #settle(work: () => Promise<unknown>): Promise<void> {
    await work().catch(() => undefined)
  }

  async #decideAll(): Promise<void> {
    const { row, listing, pool, sender, signal, recorder } = this.#parts
    let after = row.lastKey
    let listed = row.images
    for await (const page of listPages(listing, row.lastKey, row.images)) {
      const lastKey = page.objects.at(-1)?.key ?? after
      listed += page.objects.filter(({ key }) => isImageKey(key)).length
      this.#learnTotal(page, lastKey, listed)
      await this.#decidePage(page, after)
      if (signal.aborted) return
      after = lastKey
    }
    while (!(await pool.waitUntilIdle(slotWaitMs))) await this.#checkpointIfDue()
    await sender.flush()
    if (signal.aborted) return
    await recorder.fixEnd()
    this.#warnIfEmpty()
  }

  /** Unless the plan knows it, the rest is counted once, beside the work: a page costs a hundredth of one image. */
  #learnTotal(page: ListedPage, lastKey: string, listed: number): void {
    const { listing, progress, row, log } = this.#parts
    if (page.isLast) progress.total = listed
    if (progress.total !== undefined || this.#isCounting) return
    this.#isCounting = true
    countImages(listing, lastKey, listed).then(
      (rest) => {
        progress.total = listed + rest
      },
      (error: unknown) => log.debug(`the images of run ${row.run} could not be counted: ${error}`),
    )
  }

  async #decidePage(page: ListedPage, after: string): Promise<void> {
    const { row, runs, recorder, signal } = this.#parts
    const lastKey = page.objects.at(-1)?.key ?? after
    const decided = runs.decidedBetween(row.seq, after, lastKey)
    const stored = await this.#storedAnswers(page, after)
    const known: Promise<void>[] = []
    for (const object of page.objects) {
      const done = recorder.listed(object)
      if (!isImageKey(object.key)) continue
      if (decided.has(object.key)) {
        recorder.wasDecided()
        done({ isReused: false })
      } else await this.#decideOrAsk(object, stored.get(object.key), known, done)
      if (signal.aborted) break
    }
    await Promise.all(known)
    await this.#checkpointIfDue()
  }

  /** The answers about the images of a page. Those about keys that are no longer listed are forgotten. */
  #storedAnswers(page: ListedPage, after: string): Promise<Map<string, StoredAnswer<KeptLabels>>> {
    const { answers, listing, database, signal } = this.#parts
    const last = page.isLast ? undefined : (page.objects.at(-1)?.key ?? after)
    const listed = new Set(page.objects.map(({ key }) => key))
    const range = { prefix: listing.prefix, after, last }
    return answersAbout(answers, listed, range, (gone) => {
      signal.throwIfAborted()
      return database.commit(() => answers.remove(gone))
    })
  }

  /** @param known decisions that need no call: awaited at the end of the page */
  async #decideOrAsk(
    object: ListedObject,
    stored: StoredAnswer<KeptLabels> | undefined,
    known: Promise<void>[],
    done: MarkDecided,
  ): Promise<void> {
    const { pool, sender, signal } = this.#parts
    if (stored && this.#isUsable(stored, object)) {
      await sender.waitForRoom()
      const deciding = this.#decideKnown(object, stored, done)
      // Until it is awaited an error must not count as unhandled.
      deciding.catch(() => undefined)
      known.push(deciding)
      return
    }
    while (!(await pool.waitForSlot(slotWaitMs))) await this.#checkpointIfDue()
    await sender.waitForRoom()
    if (signal.aborted) return
    pool.start(async () => {
      await this.#ask(object)
      done({ isReused: false })
      await this.#checkpointIfDue()
    })
  }

  #isUsable(stored: StoredAnswer<KeptLabels>, { etag }: ListedObject): boolean {
    const { row, reuse } = this.#parts
    const askedBy = reuse && !row.fresh ? undefined : row.run
    return isUsable(stored, etag, { maxMinConfidence: row.settings.minConfidence, askedBy })
  }

  async #decideKnown(
    object: ListedObject,
    stored: StoredAnswer<KeptLabels>,
    done: MarkDecided,
  ): Promise<void> {
    const { row, recorder, sender } = this.#parts
    const car = await recorder.decide(object, stored.answer)
    if (car) sender.send(car)
    done({ isReused: stored.askedBy !== row.run })
  }

  async #ask(object: ListedObject): Promise<void> {
    const { attempts, steps, log, recorder, sender } = this.#parts
    try {
      const { model, labels: found } = await attempts.run((step) => readLabels(object, this.#parts, step))
      steps.wasRead(object.key)
      const answer = { kind: 'answer', model, content: keptLabels(found) } as const
      const car = await recorder.decide(object, answer, { isNew: true })
      if (car) sender.send(car)
    } catch (error) {
      if (!(error instanceof ImageFailure)) throw error
      const reason = error.message
      log.warn('an image could not be analysed', { key: object.key, reason })
      await recorder.fail(object, reason, isRefusal(error) ? { kind: 'refusal', reason } : undefined)
    }
  }

  #warnIfEmpty(): void {
    const { row, recorder, log } = this.#parts
    const { bucket, prefix, label } = row.settings
    const { images, count, failed } = recorder.counts
    if (images === 0) {
      const where = prefix === '' ? '' : ` under the prefix "${prefix}"`
      log.warn(`there is no JPEG or PNG object in the bucket "${bucket}"${where}`)
    } else if (count === 0 && failed < images) {
      const hint = recorder.sightings.hint(label)
      if (hint !== undefined) log.warn(hint)
    }
  }

  /** Sends what has not been sent, then "-1". */
  async #end(): Promise<void> {
    const { row, runs, sender, queueCreatedAt, log, recorder } = this.#parts
    await sender.sendRest()
    const createdAt = await queueCreatedAt()
    if (createdAt !== undefined && row.queueCreatedAt !== undefined && createdAt !== row.queueCreatedAt) {
      log.warn(`the queue was re-created after run ${row.run} started; resending its messages`)
      await runs.forgetSent(row.seq, createdAt)
      await sender.sendRest()
    }
    const failures = runs.failures(row.seq)
    const { bucket, label } = row.settings
    const end = { run: row.run, ...recorder.counts, failures, abandoned: false, bucket, label }
    await sender.sendNow(endMessage(end))
    await recorder.done()
  }

  async #checkpointIfDue(): Promise<void> {
    this.#parts.pool.throwIfFailed()
    await this.#parts.recorder.checkpointIfDue()
  }
}

/** A fact about the bytes, as long as the ETag is the same: asking again cannot help. */
function isRefusal({ cause }: ImageFailure): boolean {
  if (!(cause instanceof Failure) || cause.kind !== 'subject') return false
  return cause.operation === 'DetectLabels' || cause.operation === 'ListObjectsV2'
}
