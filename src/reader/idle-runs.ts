import type { OutageLog } from '../flow/outage-log.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'
import type { RunCoordinator } from './run-coordinator.ts'

/** A message may be invisible for the visibility timeout; after some more of silence nothing more is on its way. */
const marginMs = 60_000
/** A detector may list and decide for long before its first message, but not after it. */
const noEndMs = 3_600_000

/**
 * Runs that lack messages although the queue is empty: somebody purged the queue, they outlived its retention, went to the
 * dead-letter queue or to another reader. They are named, with the remedy; one that a later run has made obsolete is
 * abandoned.
 */
export class IdleRuns {
  readonly #runs: ReaderRuns
  readonly #coordinator: RunCoordinator
  readonly #outages: OutageLog
  readonly #isShared: boolean
  readonly #quietMs: number
  #quietSince = performance.now()

  constructor(parts: {
    runs: ReaderRuns
    coordinator: RunCoordinator
    outages: OutageLog
    /** other readers may have the missing images in progress */
    isShared: boolean
    visibilitySeconds: number
  }) {
    this.#runs = parts.runs
    this.#coordinator = parts.coordinator
    this.#outages = parts.outages
    this.#isShared = parts.isShared
    this.#quietMs = parts.visibilitySeconds * 1000 + marginMs
  }

  /** Messages have come. */
  active(): void {
    this.#quietSince = performance.now()
  }

  /** A receive was empty and nothing is in progress. */
  async check(): Promise<void> {
    // With several readers the missing images may be in progress elsewhere.
    if (this.#isShared || performance.now() - this.#quietSince < this.#quietMs) return
    const latest = this.#runs.latest()
    for (const row of this.#runs.open()) {
      // Without its end a run may have a detector that is waiting, for the next day's calls for instance.
      if (row.end && latest !== undefined && latest.seq > row.seq) await this.#abandon(row, latest)
      else this.#report(row)
    }
  }

  async #abandon(row: ReaderRunRow, latest: ReaderRunRow): Promise<void> {
    const reason = `${missing(row)} and the queue is empty, and the later run ${latest.run} is complete`
    await this.#coordinator.abandon(row, reason)
  }

  #report(row: ReaderRunRow): void {
    if (!row.end && performance.now() - this.#quietSince < noEndMs) return
    const remedy = 'send them again with "imgpipe detect --all" on the detector\'s host'
    this.#outages.wait(
      `complete run ${row.run}`,
      `run ${row.run}: ${missing(row)} and the queue is empty; ${remedy}`,
      {
        atOnce: true,
      },
    )
  }
}

function missing({ end, recorded }: ReaderRunRow): string {
  return end
    ? `${Math.max(0, end.count - recorded)} of ${end.count} messages have not come`
    : 'its "-1" has not come'
}
