import type { Outcome, RunEnd } from '../protocol/outcomes.ts'

/** A run as people are told of it. */
export interface RunProgress {
  readonly run: string
  /** pictures that have their outcome; of so many, once the end message has come */
  readonly recorded: number
  readonly count: number | undefined
  readonly texts: number
  readonly failures: number
}

/**
 * Whether a picture needs work. Settled: it has its outcome, or its run is closed. Contradicted: its number is
 * beyond what the run's end message counts.
 */
export type Standing = 'open' | 'settled' | 'contradicted'

/** Which pictures of which runs have their outcome: on this reader's disk, or agreed on with other readers. */
export interface RunBook {
  /** whether a run was open when this process began: an earlier one was interrupted, and this may be too */
  readonly isResumed: boolean
  standing(run: string, n: number): Promise<Standing>
  /** @returns when the outcome is durable, so that its message may be deleted */
  record(run: string, outcome: Outcome): Promise<void>
  /**
   * @returns 'recorded' when the end message may be deleted, 'contradicted' when the run has another end
   * @throws {Stopped} when the process stops before it may be
   */
  recordEnd(run: string, end: RunEnd): Promise<'recorded' | 'contradicted'>
  /** the run that was worked on last */
  readonly progress: RunProgress | undefined
  close(): Promise<void>
}
