import type { Clients } from '../aws/clients.ts'
import type { ListedObject } from '../aws/s3.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { addCounts } from '../protocol/outcomes.ts'
import type { Answer, AnswerStore } from '../state/answers.ts'
import type { CallTally, DailyCalls } from '../state/calls.ts'
import type { StateDatabase } from '../state/database.ts'
import type { Car, DetectorRunRow, DetectorRuns, NewCar } from '../state/detector-runs.ts'
import { askedConfidence, decide, type KeptLabels, LabelSightings } from './labels.ts'
import { ListingWindow } from './listing.ts'
import type { Progress } from './progress.ts'

export interface RunRecorderParts {
  readonly row: DetectorRunRow
  readonly database: StateDatabase
  readonly runs: DetectorRuns
  readonly answers: AnswerStore<KeptLabels>
  readonly calls: DailyCalls
  readonly tally: CallTally
  readonly progress: Progress
  readonly clients: Clients
}

const checkpointMs = 1000

/**
 * Makes a run durable: decisions with the answers that they follow from, failures, checkpoints, the end. What is counted
 * here follows the database: a counter goes up when the commit has resolved, and cars get their numbers inside of it.
 */
export class RunRecorder {
  /** labels of the images decided so far */
  readonly sightings = new LabelSightings()
  readonly #parts: RunRecorderParts
  readonly #window: ListingWindow
  #processed: number
  #cars: number
  #failed: number
  #checkpointAt = performance.now()

  constructor(parts: RunRecorderParts) {
    const { row, runs, progress } = parts
    this.#parts = parts
    this.#window = new ListingWindow(row)
    this.#processed = row.images
    this.#cars = runs.countCars(row.seq)
    this.#failed = runs.countFailures(row.seq)
    progress.run(() => ({ run: row.run, processed: this.#processed, cars: this.#cars, failed: this.#failed }))
  }

  /** What the end message says. */
  get counts(): { count: number; images: number; failed: number } {
    const { images } = this.#window.checkpoint
    return { count: this.#cars, images: Math.max(images, this.#cars + this.#failed), failed: this.#failed }
  }

  /** The next object of the listing. @returns the function that marks it as decided */
  listed(object: ListedObject): (how: { isReused: boolean }) => void {
    return this.#window.add(object)
  }

  /** An image that an earlier process has decided, behind its last checkpoint. */
  wasDecided(): void {
    this.#processed++
  }

  /**
   * Decides an image by its answer.
   *
   * @param options.isNew the answer was paid for just now: it is committed with the decision
   * @returns the car to send, once it is durable
   */
  async decide(
    object: ListedObject,
    answer: Answer<KeptLabels>,
    { isNew = false } = {},
  ): Promise<Car | undefined> {
    if (answer.kind === 'refusal') {
      await this.fail(object, answer.reason, isNew ? answer : undefined)
      return undefined
    }
    this.sightings.add(answer.content, this.#parts.row.settings.label)
    const car = await this.#record(object, answer, isNew)
    if (car) this.#cars++
    this.#count()
    return car
  }

  /** @param refusal Rekognition's answer, when it was paid for just now */
  async fail(object: ListedObject, reason: string, refusal?: Answer<KeptLabels>): Promise<void> {
    const { row, runs } = this.#parts
    await this.#commit(() => {
      if (refusal) this.#keep(object, refusal)
      runs.addFailure(row.seq, { key: object.key, reason })
    })
    this.#failed++
    this.#count()
  }

  /**
   * Every image is decided: from now on the run has this end, whatever happens.
   *
   * @throws {ImgpipeError} `disk` when a number is missing, which readers would wait for without end
   */
  async fixEnd(): Promise<void> {
    await this.#writeState('ended')
  }

  /** "-1" is in the queue. */
  async done(): Promise<void> {
    await this.#writeState('done')
  }

  async checkpointIfDue(): Promise<void> {
    if (performance.now() - this.#checkpointAt >= checkpointMs) await this.checkpoint()
  }

  async checkpoint(): Promise<void> {
    this.#checkpointAt = performance.now()
    const { runs, row, tally, calls } = this.#parts
    const state = runs.get(row.run)?.state
    if (state !== 'open' && state !== 'ended') return
    const { throttled, failed } = tally.take()
    await this.#commit(() => {
      this.#writeCheckpoint()
      calls.count('DetectLabels', 'throttled', throttled)
      calls.count('DetectLabels', 'failed', failed)
    })
  }

  async #record(
    object: ListedObject,
    answer: Answer<KeptLabels> & { kind: 'answer' },
    isNew: boolean,
  ): Promise<Car | undefined> {
    const { row, runs } = this.#parts
    const car = this.#carOf(object, answer.content)
    if (!isNew && !car) return undefined
    return this.#commit(() => {
      if (isNew) this.#keep(object, answer)
      return car && { ...car, n: runs.addCar(row.seq, car) }
    })
  }

  #carOf({ key, etag, size }: ListedObject, labels: KeptLabels): NewCar | undefined {
    const { label, minConfidence } = this.#parts.row.settings
    const decision = decide(labels, label, minConfidence)
    if (!decision.isCar) return undefined
    const { confidence, boxes } = decision
    return { key, etag, sizeBytes: size, confidence, boxes }
  }

  /** Inside a commit. An object without an ETag cannot be recognised again. */
  #keep({ key, etag }: ListedObject, answer: Answer<KeptLabels>): void {
    const { row, runs, answers, calls } = this.#parts
    const minConfidence = askedConfidence(row.settings.minConfidence)
    if (etag !== undefined) {
      answers.put({ key, etag }, answer, { by: row.run, seq: row.seq, at: Date.now(), minConfidence })
    }
    if (answer.kind !== 'answer') return
    runs.countAsked(row.seq)
    calls.count('DetectLabels', 'answered')
  }

  #count(): void {
    this.#processed++
    this.#parts.progress.decided()
  }

  #writeState(state: 'ended' | 'done'): Promise<void> {
    const { row, runs } = this.#parts
    return this.#commit(() => {
      if (state === 'ended' && !runs.isNumberedWithoutGaps(row.seq)) throw gapError(row.run)
      this.#writeCheckpoint()
      runs.setState(row.seq, state)
    })
  }

  /** Inside a commit. */
  #writeCheckpoint(): void {
    const { row, runs, progress, clients } = this.#parts
    runs.checkpoint(row.seq, this.#window.checkpoint, {
      processed: this.#processed,
      total: progress.total,
      cars: this.#cars,
      failed: this.#failed,
      perSecond: progress.perSecond,
      waiting: progress.waiting,
      requests: addCounts(row.requests, clients.calls.counts),
    })
  }

  #commit<T>(write: () => T): Promise<T> {
    return this.#parts.database.commit(write)
  }
}

function gapError(run: string): ImgpipeError {
  return new ImgpipeError(
    'disk',
    `The database has lost images of run ${run}, so that no reader could complete it: start the detector again, which abandons the run and begins another one with the answers that are kept.`,
  )
}
