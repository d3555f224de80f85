import { ShutdownError, sleep } from '../host/shutdown.ts'
import { Failure, type FailureKind } from './failure.ts'
import { minFailingMs, PeerLog } from './failure-attribution.ts'
import { ImageHistory } from './image-history.ts'
import type { OutageLog } from './outage-log.ts'
import { backoffMs, type RetryPolicy, TroubleClock, throwIfOver } from './retry.ts'
import { SoloGate } from './solo-gate.ts'
import type { TaskPool } from './task-pool.ts'

/** An image that cannot be analysed, for good; the message is the reason that is recorded. */
export class ImageFailure extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options)
    this.name = 'ImageFailure'
  }
}

/**
 * Shows that an operation works for something else than the image at hand, with the permissions of the work itself.
 * Rejects with a `Failure`; a probe that fails proves nothing. Undefined: no probe is possible.
 */
export type Probe = (kind: FailureKind) => Promise<unknown> | undefined

export interface ImageAttemptsOptions {
  /** what is done with an image, as an infinitive: `detect labels` */
  readonly what: string
  readonly maxAttempts: number
  /** by step */
  readonly probes: Readonly<Record<string, Probe>>
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

const probePauseMs = 1_000
/** So many failures in a row are needed before a probe is worth a request … */
const failuresBeforeProbe = 3
/** … and so many probes at most follow one failure. */
const maxProbes = 5
const soloTimeoutsAtFault = 2

/**
 * Repeats the attempts at an image until it has an outcome, and attributes its failures (failure-attribution.ts). While
 * an image waits for its next attempt it holds no slot of the pool.
 *
 * Timeouts are no evidence: a slow line times out for good images too. An image that only times out is tried alone
 * after a minute. If two such attempts in a row time out, and a probe succeeds right after each, the image is at fault;
 * after a single one the outage may just have ended.
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
    const { signal, pool, outages, what } = this.#options
    const history = new ImageHistory()
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
        else if (isFirst) addEvidence(record.peers, error, history)
        throw error
      }
    }
  }

  #answered(record: StepRecord, history: ImageHistory, step: string, isFirst: boolean): void {
    record.clock.succeeded()
    history.succeeded(step)
    if (isFirst) record.peers.add(performance.now(), 'succeeded', history)
  }

  /** Returns when the image is to be tried again. */
  async #judge(failure: Failure, history: ImageHistory, attemptMs: number): Promise<void> {
    const { policy, what, maxAttempts } = this.#options
    const step = history.lastStep
    const record = this.#record(step)
    const lastedMs = record.clock.failed(failure.kind, performance.now(), attemptMs)
    if (failure.kind !== 'denied') throwIfOver(failure, lastedMs, { what, policy })
    if (failure.kind === 'timeout') return this.#judgeTimeout(failure, history)
    if (failure.kind !== 'denied' && failure.kind !== 'transient') return
    const streak = history.failed(step, record.peers, attemptMs)
    streak.add({ isDenied: failure.kind === 'denied' })
    let result: ProbeResult = 'succeeded'
    for (let probes = 0; result === 'succeeded' && probes < maxProbes; probes++) {
      if (streak.failures < failuresBeforeProbe || !streak.needsEvidence) break
      result = await this.#probe(step, failure.kind)
    }
    const canProbe = result !== 'impossible'
    switch (streak.verdict(performance.now(), { maxAttempts, canProbe })) {
      case 'image-at-fault':
        throw new ImageFailure(`${failure.message}; ${streak.failures} attempts`, { cause: failure })
      case 'permission-missing':
        return throwIfOver(failure, Math.max(lastedMs, minFailingMs), { what, policy })
      case 'retry':
        return
    }
  }

  async #judgeTimeout(failure: Failure, history: ImageHistory): Promise<void> {
    const wasSolo = history.isSolo
    history.timedOut(this.#options.maxAttempts)
    if (!wasSolo) return
    const probe = await this.#probe(history.lastStep, failure.kind)
    if (history.timedOutAlone(probe === 'succeeded') < soloTimeoutsAtFault) return
    const attempts = `${history.timeouts} attempts, the last ones with no other in flight`
    throw new ImageFailure(`${failure.message}; ${attempts}`, { cause: failure })
  }

  /** One at a time for each step, shared by all that ask meanwhile. */
  async #probe(step: string, kind: FailureKind): Promise<ProbeResult> {
    const record = this.#record(step)
    if (record.probing === undefined && performance.now() < record.nextProbeAt) return 'failed'
    record.probing ??= this.#probeOnce(step, kind, record).finally(() => {
      record.probing = undefined
    })
    return record.probing
  }

  async #probeOnce(step: string, kind: FailureKind, record: StepRecord): Promise<ProbeResult> {
    const probing = this.#options.probes[step]?.(kind)
    if (!probing) return 'impossible'
    try {
      await probing
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (error.kind !== 'subject') {
        addEvidence(record.peers, error)
        // In an outage the images that fail would probe all the time.
        record.nextProbeAt = performance.now() + probePauseMs
        return 'failed'
      }
    }
    record.peers.add(performance.now(), 'succeeded')
    return 'succeeded'
  }

  #record(step: string): StepRecord {
    let record = this.#steps.get(step)
    if (!record) {
      record = { peers: new PeerLog(), clock: new TroubleClock(), probing: undefined, nextProbeAt: -Infinity }
      this.#steps.set(step, record)
    }
    return record
  }
}

type ProbeResult = 'succeeded' | 'failed' | 'impossible'

interface StepRecord {
  readonly peers: PeerLog
  readonly clock: TroubleClock
  probing: Promise<ProbeResult> | undefined
  nextProbeAt: number
}

/** Throttling, credentials and faults of this host say nothing about how often the step fails. */
function addEvidence(peers: PeerLog, { kind }: Failure, image?: object): void {
  if (kind === 'denied' || kind === 'unreadable') peers.add(performance.now(), 'denied', image)
  else if (kind === 'transient' || kind === 'timeout') peers.add(performance.now(), 'failed', image)
}
