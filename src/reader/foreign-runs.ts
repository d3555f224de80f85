import type { Log } from '../host/log.ts'
import type { RunEnd } from '../protocol/outcomes.ts'
import { newForeignRunId } from '../protocol/run-id.ts'
import type { StateDatabase } from '../state/database.ts'
import type { ReaderRunRow, ReaderRuns } from '../state/reader-runs.ts'

/** A message may be invisible for the visibility timeout; some more for the way. */
const marginMs = 5_000

/** The place in a numbered run that a message without one has been given. */
export interface ForeignPlace {
  readonly run: string
  readonly n: number
}

/**
 * Turns the messages of other implementations, which carry no run and no number, into a numbered run: an image gets its
 * number, durably, when its message is received, and the same one whenever it comes again. Nothing says how many there
 * are: the run ends when its "-1" has come and the queue was quiet for longer than the visibility timeout since the last
 * message, the last failed receive, or the start of this process. Its count is the number of numbers given, so images that
 * were in flight when a reader was killed are waited for however long they take.
 */
export class ForeignRuns {
  readonly #database: StateDatabase
  readonly #runs: ReaderRuns
  readonly #log: Log
  readonly #quietMs: number
  #quietSince = performance.now()

  constructor(parts: { database: StateDatabase; runs: ReaderRuns; log: Log; visibilitySeconds: number }) {
    this.#database = parts.database
    this.#runs = parts.runs
    this.#log = parts.log
    this.#quietMs = parts.visibilitySeconds * 1000 + marginMs
  }

  /** The run that new messages belong to. A run whose end is fixed takes no more. */
  get current(): ReaderRunRow | undefined {
    return this.#runs.open().find(({ isForeign, end }) => isForeign && !end)
  }

  /** A receive failed: it may have taken a message along. */
  disturbed(): void {
    this.#quietSince = performance.now()
  }

  /** @returns the image's place; undefined when its message belongs to a run that is closed */
  place(key: string, messageId: string): Promise<ForeignPlace | undefined> {
    this.disturbed()
    return this.#database.commit(() => {
      const row = this.#runOf(messageId)
      return row && { run: row.run, n: this.#numberOf(row.seq, key) }
    })
  }

  /** "-1" has come. */
  async endSeen(messageId: string): Promise<void> {
    this.disturbed()
    await this.#database.commit(() => {
      const row = this.#runOf(messageId)
      if (row) this.#runs.markEndSeen(row.seq)
    })
  }

  /** @returns the run that is over now, with its end; undefined while it may go on */
  ended(): { run: string; end: RunEnd } | undefined {
    const row = this.current
    if (!row?.endSeen || performance.now() - this.#quietSince < this.#quietMs) return undefined
    const count = this.#highestNumber(row.seq)
    this.#log.info(`no more messages of run ${row.run}`, { cars: count })
    return { run: row.run, end: { count, images: count, failed: 0, failures: [], abandoned: false } }
  }

  /** Inside a commit: the run that a message belongs to, the first time and whenever it comes again. */
  #runOf(messageId: string): { seq: number; run: string } | undefined {
    const known = this.#database
      .prepare(
        'SELECT seq, runs.run, state FROM foreign_messages m JOIN runs ON runs.seq = m.run WHERE m.id = ?',
      )
      .get(messageId)
    if (known) return known.state === 'open' ? { seq: Number(known.seq), run: String(known.run) } : undefined
    const row = this.current ?? this.#begin()
    this.#database.prepare('INSERT INTO foreign_messages (id, run) VALUES (?, ?)').run(messageId, row.seq)
    return row
  }

  #begin(): { seq: number; run: string } {
    const run = newForeignRunId(new Date(), this.#runs.newest())
    return { run, seq: this.#runs.insert(run, { isForeign: true }) }
  }

  #numberOf(seq: number, key: string): number {
    const known = this.#database
      .prepare('SELECT n FROM foreign_images WHERE run = ? AND key = ?')
      .get(seq, key)
    if (known) return Number(known.n)
    const n = this.#highestNumber(seq) + 1
    this.#database.prepare('INSERT INTO foreign_images (run, n, key) VALUES (?, ?, ?)').run(seq, n, key)
    return n
  }

  #highestNumber(seq: number): number {
    const row = this.#database.prepare('SELECT max(n) AS n FROM foreign_images WHERE run = ?').get(seq)
    return Number(row?.n ?? 0)
  }
}
