import { FailureStreak, minFailingMs, type StepEvidence } from './failure-attribution.ts'

/** What has happened to one image so far. */
export class ImageHistory {
  readonly #steps = new Map<string, FailureStreak | undefined>()
  readonly startedAt = performance.now()
  #lastStep = ''
  #timeouts = 0
  #timedOutAt = performance.now()
  #soloTimeouts = 0
  #isSolo = false
  #hasNewKind = false

  /** The step that the latest attempt came to. */
  get lastStep(): string {
    return this.#lastStep
  }

  /** The next attempt is to be made with no other in flight. */
  get isSolo(): boolean {
    return this.#isSolo
  }

  get timeouts(): number {
    return this.#timeouts
  }

  /** When it last timed out, on the clock of `performance.now()`; before the first time: when it began. */
  get timedOutAt(): number {
    return this.#timedOutAt
  }

  /** @returns whether it is the image's first attempt at the step */
  begin(step: string): boolean {
    const isFirst = !this.#steps.has(step)
    if (isFirst) this.#steps.set(step, undefined)
    this.#lastStep = step
    return isFirst
  }

  succeeded(step: string): void {
    this.#steps.set(step, undefined)
  }

  /**
   * @returns the failures in a row at a step: a new series when there was none, and once when a denial follows failures of another
   *   kind, as at the end of an outage
   */
  failed(
    step: string,
    evidence: StepEvidence,
    { attemptMs, isDenied }: { attemptMs: number; isDenied: boolean },
  ): FailureStreak {
    const now = performance.now()
    const first = { beganAt: now - attemptMs, failedAt: now }
    const known = this.#steps.get(step)
    const isNewKind = known !== undefined && isDenied && !known.isDenied && !this.#hasNewKind
    this.#hasNewKind ||= isNewKind
    const streak = known && !isNewKind ? known : new FailureStreak(evidence, this, first)
    this.#steps.set(step, streak)
    this.#isSolo = false
    this.#soloTimeouts = 0
    return streak
  }

  /** After so many timeouts, over at least a minute, the next attempt is to be made alone. */
  timedOut(maxAttempts: number): void {
    this.#timeouts++
    this.#timedOutAt = performance.now()
    this.#isSolo = this.#timeouts >= maxAttempts && performance.now() - this.startedAt >= minFailingMs
  }

  /** @returns how many attempts in a row have timed out alone while the step worked for others */
  timedOutAlone(worksForOthers: boolean): number {
    this.#soloTimeouts = worksForOthers ? this.#soloTimeouts + 1 : 0
    return this.#soloTimeouts
  }
}
