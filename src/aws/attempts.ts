import { ImgpipeError } from '../daemon/exit-codes.ts'
import { pause } from '../daemon/stop-signal.ts'
import { describeFault, type Fault, RecognitionFault, toFault } from './errors.ts'
import { giveUpAfter, pauseMilliseconds, refuseHopeless, Stopped } from './retry.ts'
import type { Troubles } from './troubles.ts'

/** A picture that cannot be analysed, for good; `message` is the reason that is recorded. */
export class PictureFailure extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'PictureFailure'
  }
}

/** Calls that work whenever the service does: what they return does not matter. */
export interface Controls {
  /** asks the same about a picture that is good beyond doubt */
  readonly rekognition: () => Promise<unknown>
  /** asks for a key that is not there, and is told so */
  readonly s3: () => Promise<unknown>
}

export interface AttemptsOptions {
  /** what is done with a picture, as an infinitive: `detect labels` */
  readonly what: string
  readonly maxAttempts: number
  readonly controls: Controls
  readonly troubles: Troubles
  /** ends the waiting between attempts */
  readonly signal: AbortSignal
  /** ends with exit 69 when nothing has succeeded for so long; undefined = never */
  readonly giveUpMilliseconds?: number | undefined
}

/** Denials in a row, with nothing succeeding in between, after which access is taken to be gone altogether. */
const denialsBelieved = 3

/** Attempts that fail while no other picture succeeds, after which a control is asked for with each more. */
const failuresToControl = 3

interface Trials {
  /** failed attempts that count against the picture */
  counted: number
  denials: number
  /** failed attempts since which no other picture succeeded */
  alone: number
  successesSeen: number
}

/**
 * Tries a picture again until it has an outcome, and tells a bad picture from a bad day: a failed attempt
 * counts against the picture only when another picture has succeeded since its last one. While nothing
 * succeeds, it is the service that fails, and the picture waits. The last picture of a run has no others
 * beside it: then a control takes their place.
 */
export class Attempts {
  readonly #options: AttemptsOptions
  #successes = 0
  #succeededAt = performance.now()
  readonly #controlling = new Map<keyof Controls, Promise<boolean>>()

  constructor(options: AttemptsOptions) {
    this.#options = options
  }

  /**
   * @throws {PictureFailure} when it is the picture's fault, or was often enough
   * @throws {ImgpipeError} when access is denied or a bucket is gone
   * @throws {Stopped} when the process stops before there is an outcome
   */
  async of<T>(attempt: () => Promise<T>): Promise<T> {
    const trials: Trials = { counted: 0, denials: 0, alone: 0, successesSeen: this.#successes }
    for (let failures = 0; ; failures++) {
      try {
        const result = await attempt()
        this.#succeeded()
        return result
      } catch (error) {
        if (error instanceof PictureFailure) this.#succeeded()
        if (error instanceof PictureFailure || error instanceof ImgpipeError || error instanceof Stopped)
          throw error
        await this.#judge(toFault(error), trials)
      }
      await pause(pauseMilliseconds(failures, Math.random), this.#options.signal)
      if (this.#options.signal.aborted) throw new Stopped()
    }
  }

  /** An answer about a picture, whatever it says, shows that the service works. */
  #succeeded(): void {
    this.#successes++
    this.#succeededAt = performance.now()
    this.#options.troubles.over(this.#options.what)
  }

  /** Returns when the picture is to be tried again. */
  async #judge(fault: Fault, trials: Trials): Promise<void> {
    if (fault.kind === 'picture' || fault.kind === 'gone') {
      this.#succeeded()
      throw new PictureFailure(describeFault(fault))
    }
    if (fault.kind === 'stopped' || fault.kind === 'missing') refuseHopeless(fault, this.#options.what)
    const othersSucceed = await this.#othersSucceed(fault, trials)
    if (othersSucceed && fault.kind !== 'credentials' && fault.kind !== 'throttle') {
      trials.counted++
      trials.denials = 0
      if (trials.counted >= this.#options.maxAttempts) {
        throw new PictureFailure(`${describeFault(fault)} (${trials.counted} attempts)`)
      }
    } else if (fault.kind === 'denied' && ++trials.denials >= denialsBelieved) {
      refuseHopeless(fault, this.#options.what)
    }
    giveUpAfter(this.#succeededAt, fault, this.#options)
    this.#options.troubles.of(this.#options.what, fault)
  }

  /** Whether the service has done, since the picture's last attempt, what it did not do for the picture. */
  async #othersSucceed(fault: Fault, trials: Trials): Promise<boolean> {
    const others = this.#successes > trials.successesSeen
    trials.alone = others ? 0 : trials.alone + 1
    const needsControl = trials.alone >= failuresToControl && ['transient', 'denied'].includes(fault.kind)
    const isControlGood =
      needsControl && (await this.#control(fault instanceof RecognitionFault ? 'rekognition' : 's3'))
    trials.successesSeen = this.#successes
    return others || isControlGood
  }

  /** One for all that ask meanwhile. */
  #control(service: keyof Controls): Promise<boolean> {
    const controlling =
      this.#controlling.get(service) ??
      this.#options.controls[service]()
        .then(
          () => true,
          () => false,
        )
        .finally(() => this.#controlling.delete(service))
    this.#controlling.set(service, controlling)
    return controlling
  }
}
