import { Failure, type FailureKind } from './failure.ts'
import { type Outcome, StepEvidence } from './failure-attribution.ts'
import { TroubleClock } from './retry.ts'

/**
 * Shows that an operation works for something else than the image at hand, with the permissions of the work itself.
 * Rejects with a `Failure`; a probe that fails proves nothing. Undefined: no probe is possible.
 */
export type Probe = (kind: FailureKind) => Promise<unknown> | undefined

/**
 * Does the step again for a real image that was read before, at its price. Undefined: none has been read. A failure of kind
 * `subject` proves nothing: the image is another one by now.
 */
export type Witness = () => Promise<unknown> | undefined

export type ProbeResult = 'succeeded' | 'failed' | 'impossible'

const probePauseMs = 1_000
const askPauseMs = 10_000

/** What is known about one step, and the way to know more. */
export class StepRecord {
  readonly evidence = new StepEvidence()
  readonly clock = new TroubleClock()
  readonly #probe: Probe | undefined
  #probing: Promise<ProbeResult> | undefined
  #nextProbeAt = Number.NEGATIVE_INFINITY
  readonly #witness: Witness | undefined
  #asking: Promise<ProbeResult> | undefined
  #lastAsked: ProbeResult = 'impossible'
  #nextAskAt = Number.NEGATIVE_INFINITY

  constructor(probe: Probe | undefined, witness: Witness | undefined) {
    this.#probe = probe
    this.#witness = witness
  }

  /** One at a time, shared by all that ask meanwhile. */
  async probe(kind: FailureKind): Promise<ProbeResult> {
    if (this.#probing === undefined && performance.now() < this.#nextProbeAt) return 'failed'
    this.#probing ??= this.#probeOnce(kind).finally(() => {
      this.#probing = undefined
    })
    return this.#probing
  }

  async #probeOnce(kind: FailureKind): Promise<ProbeResult> {
    const probing = this.#probe?.(kind)
    if (!probing) return 'impossible'
    try {
      await probing
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (error.kind !== 'subject') {
        const outcome = outcomeOf(error)
        if (outcome) this.evidence.probes.add(performance.now(), outcome)
        // In an outage the images that fail would probe all the time.
        this.#nextProbeAt = performance.now() + probePauseMs
        return 'failed'
      }
    }
    this.evidence.probes.add(performance.now(), 'succeeded')
    return 'succeeded'
  }

  /** The result is evidence as of any image. Seldom, and only while probes succeed: it costs money. */
  async askWitness(kind: FailureKind): Promise<ProbeResult> {
    if (this.#asking === undefined && performance.now() < this.#nextAskAt) return this.#lastAsked
    this.#asking ??= this.#askOnce(kind).finally(() => {
      this.#asking = undefined
      this.#nextAskAt = performance.now() + askPauseMs
    })
    this.#lastAsked = await this.#asking
    return this.#lastAsked
  }

  async #askOnce(kind: FailureKind): Promise<ProbeResult> {
    if ((await this.probe(kind)) === 'failed') return 'failed'
    const asking = this.#witness?.()
    if (!asking) return 'impossible'
    try {
      await asking
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      // It is another image by now.
      if (error.kind === 'subject') return 'impossible'
      const outcome = outcomeOf(error)
      if (outcome) this.evidence.images.add(performance.now(), outcome)
      return 'failed'
    }
    this.clock.succeeded()
    this.evidence.images.add(performance.now(), 'succeeded')
    return 'succeeded'
  }
}

/** Throttling, credentials and faults of this host say nothing about how often the step fails. */
export function outcomeOf({ kind }: Failure): Outcome | undefined {
  if (kind === 'denied' || kind === 'unreadable') return 'denied'
  return kind === 'transient' || kind === 'timeout' ? 'failed' : undefined
}
