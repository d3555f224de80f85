import type { OutageLog } from '../flow/outage-log.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'

/** A message may be invisible for the visibility timeout; after some more of silence nothing more is on its way. */
const marginMs = 60_000
/**
 * A detector may list and decide for long before its first message, but not after it; other readers may have the missing
 * images in progress.
 */
const patienceMs = 3_600_000

/**
 * Runs that lack messages although the queue is empty: somebody purged the queue, they outlived its retention, went to the
 * dead-letter queue or to another reader. They are named, with the remedy. The reader gives up none of them by itself: that
 * nothing comes proves nothing about a run, and one that is completed late does no harm.
 *
 * Silence is a series of confirmed empty receives while nothing is in progress; whatever interrupts it begins it anew.
 */
export class IdleRuns {
  readonly #runs: ReaderRuns
  readonly #outages: OutageLog
  readonly #isShared: boolean
  readonly #quietMs: number
  #quietSince: number | undefined

  constructor(parts: {
    runs: ReaderRuns
    outages: OutageLog
    /** other readers may have the missing images in progress */
    isShared: boolean
    visibilitySeconds: number
  }) {
    this.#runs = parts.runs
    this.#outages = parts.outages
    this.#isShared = parts.isShared
    this.#quietMs = parts.visibilitySeconds * 1000 + marginMs
  }

  /** Messages have come or are in progress, or a receive has failed, which may have taken messages along. */
  disturbed(): void {
    this.#quietSince = undefined
  }

  /** A receive was empty, confirmed by SQS, and nothing is in progress. */
  check(): void {
    const now = performance.now()
    this.#quietSince ??= now
    const quietMs = now - this.#quietSince
    if (quietMs < this.#quietMs) return
    for (const row of this.#runs.open()) {
      const isOverdue = row.end && !this.#isShared ? true : quietMs >= patienceMs
      if (isOverdue && this.#lacksMessages(row)) this.#report(row)
    }
  }

  /** One that has all of its outcomes is about to be published: it may wait for disk space. */
  #lacksMessages({ seq, end, recorded }: ReaderRunRow): boolean {
    if (!end || this.#isShared || recorded < end.count) return true
    return this.#runs.countOutcomes(seq, end.count) < end.count
  }

  #report(row: ReaderRunRow): void {
    const { run, seq } = row
    const again = this.#runs.isNewest(seq)
      ? `start another run with "imgpipe detect --all" on the detector's host, and `
      : ''
    const sentence = `run ${run}: ${this.#missing(row)} and the queue is empty; move its messages back from the dead-letter queue, or ${again}give it up with "imgpipe runs --delete ${run}"`
    this.#outages.wait(`complete run ${run}`, sentence, { atOnce: true })
  }

  #missing({ end, recorded }: ReaderRunRow): string {
    if (!end) return 'its "-1" has not come'
    if (this.#isShared) return `it has not all of its ${end.count} outcomes`
    return `${Math.max(1, end.count - recorded)} of ${end.count} messages have not come`
  }
}
