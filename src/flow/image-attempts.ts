import { ImgpipeError } from '../host/exit-codes.ts'
import { ShutdownError, sleep } from '../host/shutdown.ts'
import { Failure, type FailureKind } from './failure.ts'
import { type FailureStreak, minFailingMs, witnessAfterMs } from './failure-attribution.ts'
import { ImageHistory } from './image-history.ts'
import type { OutageLog } from './outage-log.ts'
import { backoffMs, type RetryPolicy, throwIfOver } from './retry.ts'
import { SoloGate } from './solo-gate.ts'
import { outcomeOf, type Probe, type ProbeResult, StepRecord, type Witness } from './step-record.ts'
import type { TaskPool } from './task-pool.ts'

/** An image that cannot be analysed, for good; the message is the reason that is recorded. */
export class ImageFailure extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'ImageFailure'
  }
}

export interface ImageAttemptsOptions {
  /** what is done with an image, as an infinitive: `detect labels` */
  readonly what: string
  readonly maxAttempts: number
  /** by step */
  readonly probes: Readonly<Record<string, Probe>>
  /** by step */
  readonly witnesses?: Readonly<Record<string, Witness>>
  readonly outages: OutageLog
  readonly pool: TaskPool
  readonly policy: RetryPolicy
  /** cancels the waiting between attempts */
  readonly signal: AbortSignal
}

/**
 * Runs one step of an attempt, so that its result is evidence about the step. A step is an operation, or one of several
 * ways to use it that fail for different reasons.
 */
export type Step = <T>(step: string, call: () => Promise<T>) => Promise<T>

/** So many failures in a row are needed before a probe is worth a request … */
const failuresBeforeProbe = 3
/** … and so many probes at most follow one failure. */
const maxProbes = 5
const soloTimeoutsAtFault = 2
/** For so long an image is not blamed for what Rekognition cannot read of any image. */
const maxUnreadableMs = 3_600_000

/**
 * Repeats the attempts at an image until it has an outcome, and attributes its failures (failure-attribution.ts). While
 * an image waits for its next attempt it holds no slot of the pool.
 *
 * Timeouts are no evidence: a slow line times out for good images too. An image that only times out is tried alone
 * after a minute, and by then with the deadline of the slowest line (adaptive-deadline.ts). If two such attempts in a row
 * time out, and a probe succeeds right after each, the image is at fault; after a single one the outage may just have
 * ended. As with other failures a probe says nothing while other images fail at the step and none succeeds. Long deadlines
 * are no outage: while the step works for others but this image, the worker does not end because of it.
 *
 * `unreadable` is left to be judged only where S3 gives this process the very object that Rekognition cannot read. Then either
 * Rekognition's way to S3 is out, or the image is at fault: an image that is read in that way meanwhile tells the two apart. Where
 * there is none to ask, the image is at fault after ten minutes; while that one cannot be read either, after an hour.
 */
export class ImageAttempts {
  readonly #options: ImageAttemptsOptions
  readonly #steps = new Map<string, StepRecord>()
  readonly #solo = new SoloGate()

  constructor(options: ImageAttemptsOptions) {
    this.#options = options
  }

  /**
   * @throws {ImageFailure} when the image is at fault
   * @throws {ImgpipeError} when the policy says that waiting is over
   * @throws {ShutdownError} when the process stops before there is an outcome
   */
  async run<T>(attempt: (step: Step) => Promise<T>): Promise<T> {
    const history = new ImageHistory()
    try {
      const result = await this.#runUntilDecided(attempt, history)
      this.#ended(history)
      return result
    } catch (error) {
      // What the worker gives up undecided still speaks for the others, which it gives up next.
      if (!(error instanceof ImgpipeError || error instanceof ShutdownError)) this.#ended(history)
      throw error
    }
  }

  #ended(history: ImageHistory): void {
    for (const { evidence } of this.#steps.values()) evidence.ended(history)
  }

  async #runUntilDecided<T>(attempt: (step: Step) => Promise<T>, history: ImageHistory): Promise<T> {
    const { signal, pool, outages, what } = this.#options
    for (let failures = 0; ; failures++) {
      let startedAt = performance.now()
      try {
        const result = await this.#solo.run(history.isSolo, () => {
          startedAt = performance.now()
          return attempt(this.#stepOf(history))
        })
        outages.succeeded(what)
        return result
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        if (error.kind === 'subject') throw new ImageFailure(error.message, { cause: error })
        if (signal.aborted) throw new ShutdownError()
        const sinceMs = performance.now() - startedAt
        outages.report(what, error, { sinceMs })
        await pool.outsideSlot(async () => {
          await this.#judge(error, history, sinceMs)
          await sleep(backoffMs(failures), signal)
        })
      }
      if (signal.aborted) throw new ShutdownError()
    }
  }

  #stepOf(history: ImageHistory): Step {
    return async (name, call) => {
      const isFirst = history.begin(name)
      const record = this.#record(name)
      try {
        const result = await call()
        this.#answered(record, history, name, isFirst)
        return result
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        // A fact about the image is an answer: the step works.
        if (error.kind === 'subject') this.#answered(record, history, name, isFirst)
        else this.#failed(record, history, error, isFirst)
        throw error
      }
    }
  }

  #answered(record: StepRecord, history: ImageHistory, step: string, isFirst: boolean): void {
    record.clock.succeeded()
    record.evidence.ended(history)
    history.succeeded(step)
    if (isFirst) record.evidence.images.add(performance.now(), 'succeeded', history)
  }

  #failed({ evidence }: StepRecord, history: ImageHistory, failure: Failure, isFirst: boolean): void {
    const outcome = outcomeOf(failure)
    if (!outcome) return
    evidence.failed(history, outcome)
    if (isFirst) evidence.images.add(performance.now(), outcome, history)
  }

  /** Returns when the image is to be tried again. */
  async #judge(failure: Failure, history: ImageHistory, attemptMs: number): Promise<void> {
    const { policy, what, maxAttempts } = this.#options
    const step = history.lastStep
    const record = this.#record(step)
    if (failure.kind === 'unreadable') return this.#judgeUnreadable(failure, history, attemptMs)
    const lastedMs = record.clock.failed(failure.kind, performance.now(), attemptMs)
    if (failure.kind === 'timeout') return this.#judgeTimeout(failure, history, lastedMs)
    if (failure.kind !== 'denied') throwIfOver(failure, lastedMs, { what, policy })
    if (failure.kind !== 'denied' && failure.kind !== 'transient') return
    const isDenied = failure.kind === 'denied'
    const streak = history.failed(step, record.evidence, { attemptMs, isDenied })
    streak.add({ isDenied })
    const canProbe = await this.#gatherEvidence(failure.kind, step, streak)
    if (streak.needsWitness(performance.now())) await record.askWitness(failure.kind)
    switch (streak.verdict(performance.now(), { maxAttempts, canProbe })) {
      case 'image-at-fault':
        throw new ImageFailure(`${failure.message}; ${streak.failures} attempts`, { cause: failure })
      case 'permission-missing':
        return throwIfOver(failure, Math.max(lastedMs, minFailingMs), { what, policy })
      case 'retry':
        return
    }
  }

  /** @returns whether a probe of the step is possible, as far as known */
  async #gatherEvidence(kind: FailureKind, step: string, streak: FailureStreak): Promise<boolean> {
    let result: ProbeResult = 'succeeded'
    for (let probes = 0; result === 'succeeded' && probes < maxProbes; probes++) {
      if (streak.failures < failuresBeforeProbe || !streak.needsEvidence) break
      result = await this.#record(step).probe(kind)
    }
    return result !== 'impossible'
  }

  async #judgeUnreadable(failure: Failure, history: ImageHistory, attemptMs: number): Promise<void> {
    const record = this.#record(history.lastStep)
    const streak = history.failed(history.lastStep, record.evidence, { attemptMs, isDenied: true })
    streak.add({ isDenied: true })
    if (!streak.isDue(performance.now(), this.#options.maxAttempts)) return
    const asked = streak.hasImageSucceeded ? 'succeeded' : await record.askWitness(failure.kind)
    // A witness that cannot be read either speaks for an outage, which may be long; but a run must end.
    const maxMs = asked === 'failed' ? maxUnreadableMs : witnessAfterMs
    if (!streak.hasImageSucceeded && streak.ageMs(performance.now()) < maxMs) return
    throw new ImageFailure(`${failure.message}; ${streak.failures} attempts`, { cause: failure })
  }

  async #judgeTimeout(failure: Failure, history: ImageHistory, lastedMs: number): Promise<void> {
    const { policy, what, maxAttempts } = this.#options
    const wasSolo = history.isSolo
    const lastTimedOutAt = history.timedOutAt
    history.timedOut(maxAttempts)
    if (!wasSolo && lastedMs < policy.unavailableMs) return
    const worksForOthers = await this.#worksForOthers(history, lastTimedOutAt)
    if (worksForOthers) this.#record(history.lastStep).clock.succeeded()
    else throwIfOver(failure, lastedMs, { what, policy })
    if (!wasSolo || history.timedOutAlone(worksForOthers) < soloTimeoutsAtFault) return
    const attempts = `${history.timeouts} attempts, the last ones with no other in flight`
    throw new ImageFailure(`${failure.message}; ${attempts}`, { cause: failure })
  }

  /** By a probe; while other images fail as well, also by an image that has succeeded since. */
  async #worksForOthers(history: ImageHistory, since: number): Promise<boolean> {
    const record = this.#record(history.lastStep)
    const { evidence } = record
    if ((await record.probe('timeout')) !== 'succeeded') return false
    if (!evidence.isOtherFailing(history) || evidence.images.lastSuccessAt > since) return true
    if (performance.now() - history.startedAt >= witnessAfterMs) await record.askWitness('timeout')
    return evidence.images.lastSuccessAt > since
  }

  #record(step: string): StepRecord {
    let record = this.#steps.get(step)
    if (!record) {
      record = new StepRecord(this.#options.probes[step], this.#options.witnesses?.[step])
      this.#steps.set(step, record)
    }
    return record
  }
}
