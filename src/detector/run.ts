import { Attempts, PictureFailure } from '../aws/attempts.ts'
import { ByteBudget } from '../aws/byte-budget.ts'
import type { Clients } from '../aws/clients.ts'
import { controlPicture } from '../aws/control-picture.ts'
import { type ListedObject, Pictures } from '../aws/pictures.ts'
import type { Queue } from '../aws/queue.ts'
import { LabelDetection } from '../aws/recognition.ts'
import { Stopped } from '../aws/retry.ts'
import type { Troubles } from '../aws/troubles.ts'
import type { Settings } from '../config/schema.ts'
import type { AppendLog } from '../daemon/append-log.ts'
import type { Log } from '../daemon/log.ts'
import type { StopSignals } from '../daemon/stop-signal.ts'
import type { ServiceManager } from '../daemon/systemd.ts'
import { WorkInHand } from '../daemon/work-in-hand.ts'
import { isPictureKey } from '../protocol/indexes.ts'
import { endMessage, indexMessage } from '../protocol/messages.ts'
import { type ExamineParts, examine } from './examine.ts'
import {
  apply,
  type CarRecord,
  type JournalLine,
  judgedImages,
  type RunSettings,
  type RunState,
} from './journal.ts'
import { countPictures, type Listing, listPages } from './listing.ts'
import { Progress } from './progress.ts'
import { decide } from './verdict.ts'
import { ListingWindow } from './window.ts'

/** What a detector works with; made once per process. */
export interface DetectorParts {
  readonly settings: Settings
  readonly clients: Clients
  readonly queue: Queue
  readonly byReference: boolean
  /** whether the run was interrupted before: it may be again */
  readonly isResumed: boolean
  readonly log: Log
  readonly manager: ServiceManager
  readonly troubles: Troubles
  readonly stop: StopSignals
}

/** A service that has not worked for so long ends the run with exit 69; the next start goes on with it. */
export const giveUpMilliseconds = 15 * 60_000
const budgetBytes = 64 * 1024 * 1024
const checkpointMilliseconds = 1000
/** Pictures whose turn has not come, so that the next call never waits for the listing. */
const picturesAhead = 16

/**
 * One run over the bucket. A picture goes through these states, each of which a crash may leave it in:
 * listed → (asked) → judged, in the journal → for a car: sent, confirmed in the journal.
 * What is listed but not judged is asked again; what is judged is never asked again; a car that is not
 * confirmed is sent again with the same number, which the reader knows.
 */
export class DetectorRun {
  readonly #parts: DetectorParts
  readonly #state: RunState
  readonly #journal: AppendLog<JournalLine>
  readonly #labels: LabelDetection
  readonly #attempts: Attempts
  readonly #pictures: Pictures
  readonly #examine: ExamineParts
  readonly #hand: WorkInHand
  readonly #window: ListingWindow
  readonly #progress: Progress
  #checkpointAt = performance.now()
  #isCounting = false

  constructor(parts: DetectorParts, state: RunState, journal: AppendLog<JournalLine>) {
    const { settings, clients, stop, troubles, isResumed: isCareful } = parts
    const { maxRequestsPerSecond, maxAttempts, bucket, minConfidence } = settings
    this.#parts = parts
    this.#state = state
    this.#journal = journal
    this.#labels = new LabelDetection(clients.rekognition, { maxRequestsPerSecond, isCareful, stop })
    this.#pictures = new Pictures(clients.s3, stop)
    this.#attempts = new Attempts({
      what: 'detect labels',
      maxAttempts,
      controls: {
        rekognition: () => this.#labels.detect({ kind: 'bytes', bytes: controlPicture }, minConfidence),
        s3: () => this.#pictures.missNothing(bucket),
      },
      troubles,
      signal: stop.soft,
      giveUpMilliseconds,
    })
    const budget = new ByteBudget(budgetBytes)
    const { byReference } = parts
    this.#examine = {
      labels: this.#labels,
      pictures: this.#pictures,
      budget,
      bucket,
      byReference,
      minConfidence,
    }
    this.#hand = new WorkInHand(() => this.#labels.calls.inFlight.limit + picturesAhead)
    this.#window = new ListingWindow({
      through: state.through,
      images: state.imagesThrough,
      skipped: state.skippedThrough,
    })
    this.#progress = new Progress(state, parts)
  }

  /** @returns true when the run is done, false when it was stopped on the way */
  async go(): Promise<boolean> {
    try {
      this.#resend()
      if (!this.#state.end) await this.#lookThrough()
      await this.#hand.finished()
      if (!this.#state.end && this.#parts.stop.soft.aborted) return false
      await this.#finish()
      return true
    } catch (error) {
      if (error instanceof Stopped) return false
      // What else is in hand may be waiting for a service: it would keep the error from being told.
      this.#parts.stop.begin()
      throw error
    } finally {
      await this.#hand.finished().catch(() => undefined)
      // Nothing follows "done": killed behind it, a process that had not ended yet would be started for a new run.
      if (!this.#state.done) await this.#checkpoint().catch(() => undefined)
      this.#progress.end()
    }
  }

  #resend(): void {
    for (const car of this.#state.unsent.values()) this.#hand.start(() => this.#send(car))
  }

  async #lookThrough(): Promise<void> {
    const { maxImages } = this.#parts.settings
    let images = this.#state.imagesThrough
    for await (const { objects, isLast } of listPages(this.#listing, this.#state.through)) {
      for (const object of objects) {
        const isPicture = isPictureKey(object.key)
        if (isPicture && maxImages > 0 && images >= maxImages) return this.#knowTotal(images)
        if (isPicture) images++
        await this.#take(object, isPicture)
        if (this.#parts.stop.soft.aborted) return
      }
      if (isLast) this.#knowTotal(images)
      else this.#countAhead(images, objects.at(-1)?.key ?? '')
    }
  }

  get #listing(): Listing {
    const { settings, troubles, stop } = this.#parts
    const persistence = { troubles, signal: stop.soft, giveUpMilliseconds }
    return { pictures: this.#pictures, bucket: settings.bucket, prefix: settings.prefix, persistence }
  }

  #knowTotal(images: number): void {
    this.#progress.total = Math.min(images, this.#parts.settings.maxImages || Number.POSITIVE_INFINITY)
  }

  /** Once, beside the work: a page of the listing costs a hundredth of one picture. */
  #countAhead(images: number, after: string): void {
    if (this.#isCounting) return
    this.#isCounting = true
    countPictures(this.#listing, after).then(
      (rest) => this.#knowTotal(images + rest),
      () => undefined,
    )
  }

  async #take(object: ListedObject, isPicture: boolean): Promise<void> {
    const done = this.#window.add(object.key, isPicture ? 'picture' : 'skipped')
    if (!isPicture) return
    if (this.#state.judged.has(object.key)) return done()
    await this.#hand.room()
    this.#hand.start(async () => {
      await this.#judge(object)
      done()
    })
  }

  async #judge(object: ListedObject): Promise<void> {
    const { label, minConfidence } = this.#parts.settings
    try {
      const findings = await this.#attempts.of(() => examine(object, this.#examine))
      const { key } = object
      const verdict = decide(findings, label, minConfidence)
      if (verdict.verdict === 'none') await this.#record({ key, verdict: 'none' })
      else await this.#recordCar(object, verdict.confidence, verdict.boxes)
    } catch (error) {
      if (!(error instanceof PictureFailure)) throw error
      this.#parts.log.warn('a picture could not be analysed', { key: object.key, reason: error.message })
      await this.#record({ key: object.key, verdict: 'failed', reason: error.message })
    }
    this.#progress.judged()
    if (performance.now() - this.#checkpointAt >= checkpointMilliseconds) await this.#checkpoint()
  }

  async #recordCar(
    { key, etag }: ListedObject,
    confidence: number,
    boxes: CarRecord['boxes'],
  ): Promise<void> {
    const car: CarRecord = { car: this.#state.cars + 1, key, ...(etag && { etag }), confidence, boxes }
    await this.#record(car)
    await this.#send(car)
  }

  async #send({ car, key, etag, confidence, boxes }: CarRecord): Promise<void> {
    const { run, settings } = this.#state
    await this.#parts.queue.send(
      indexMessage({ run, n: car, key, bucket: settings.bucket, etag, confidence, boxes }),
    )
    this.#parts.log.debug('sent', { run, n: car, key })
    // If this is lost, the message is sent again with the same number, and nobody is harmed.
    const sent = { sent: car, at: Date.now() }
    apply(this.#state, sent)
    this.#journal.appendWithNext(sent)
  }

  async #finish(): Promise<void> {
    const { run, cars, failed } = this.#state
    const images = judgedImages(this.#state)
    if (!this.#state.end) await this.#record({ end: { count: cars, images, failed } })
    await this.#parts.queue.send(endMessage({ run, count: cars, images, failed, abandoned: false }))
    await this.#checkpoint()
    await this.#record({ done: true, at: Date.now() })
  }

  async #checkpoint(): Promise<void> {
    this.#checkpointAt = performance.now()
    const { cars, failed } = this.#state
    const { total } = this.#progress
    const counts = { judged: judgedImages(this.#state), cars, failed, ...(total !== undefined && { total }) }
    const calls = this.#parts.clients.calls.counts
    await this.#record({ ...this.#window.through, ...counts, calls, at: Date.now() })
  }

  /** The state follows the journal's order of lines, which is the order in which they are given to it. */
  async #record(line: Exclude<JournalLine, { settings: RunSettings }>): Promise<void> {
    apply(this.#state, line)
    await this.#journal.append(line)
  }
}
