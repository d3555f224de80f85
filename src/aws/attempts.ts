import { ImgpipeError } from '../daemon/exit-codes.ts'
import { pause } from '../daemon/stop-signal.ts'
import { describeFault, type Fault, toFault } from './errors.ts'
import { giveUpAfter, pauseMilliseconds, refuseHopeless, Stopped } from './retry.ts'
import type { Troubles } from './troubles.ts'

/** A picture that cannot be analysed, for good; `message` is the reason that is recorded. */
export class PictureFailure extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'PictureFailure'
  }
}

export interface AttemptsOptions {
  /** what is done with a picture, as an infinitive: `detect labels` */
  readonly what: string
  readonly maxAttempts: number
  readonly troubles: Troubles
  /** ends the waiting between attempts */
  readonly signal: AbortSignal
  /** ends with exit 69 when nothing has succeeded for so long; undefined = never */
  readonly giveUpMilliseconds?: number | undefined
}

/** Denials in a row, with nothing succeeding in between, after which access is taken to be gone altogether. */
const denialsBelieved = 3

/**
 * Tries a picture again until it has an outcome, and tells a bad picture from a bad day: a failed attempt
 * counts against the picture only when other pictures have succeeded since its last one. While nothing
 * succeeds, it is the service that fails, and the picture waits.
 */
export class Attempts {
  readonly #options: AttemptsOptions
  #successes = 0
  #succeededAt = performance.now()

  constructor(options: AttemptsOptions) {
    this.#options = options
  }

  /**
   * @throws {PictureFailure} when it is the picture's fault, or was often enough
   * @throws {ImgpipeError} when access is denied or a bucket is gone
   * @throws {Stopped} when the process stops before there is an outcome
   */
  async of<T>(attempt: () => Promise<T>): Promise<T> {
    const picture = { counted: 0, denials: 0, successesSeen: this.#successes }
    for (let failures = 0; ; failures++) {
      try {
        const result = await attempt()
        this.#succeeded()
        return result
      } catch (error) {
        if (error instanceof PictureFailure) this.#succeeded()
        if (error instanceof PictureFailure || error instanceof ImgpipeError || error instanceof Stopped)
          throw error
        this.#judge(toFault(error), picture)
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
  #judge(fault: Fault, picture: { counted: number; denials: number; successesSeen: number }): void {
    if (fault.kind === 'picture' || fault.kind === 'gone') {
      this.#succeeded()
      throw new PictureFailure(describeFault(fault))
    }
    if (fault.kind === 'stopped' || fault.kind === 'missing') refuseHopeless(fault, this.#options.what)
    const othersSucceeded = this.#successes > picture.successesSeen
    picture.successesSeen = this.#successes
    if (othersSucceeded && fault.kind !== 'credentials' && fault.kind !== 'throttle') {
      picture.counted++
      picture.denials = 0
      if (picture.counted >= this.#options.maxAttempts) {
        throw new PictureFailure(`${describeFault(fault)} (${picture.counted} attempts)`)
      }
    } else if (fault.kind === 'denied' && ++picture.denials >= denialsBelieved) {
      refuseHopeless(fault, this.#options.what)
    }
    giveUpAfter(this.#succeededAt, fault, this.#options)
    this.#options.troubles.of(this.#options.what, fault)
  }
}
