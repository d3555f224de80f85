import { naturalSortKey } from '../protocol/keys.ts'
import { addCounts, type CallCounts, type Outcome, type RunEnd } from '../protocol/outcomes.ts'
import { deleteAnswersUsedBy } from './answers.ts'
import { rowsAtOnce, type StateDatabase } from './database.ts'

export interface ReaderRunRow {
  readonly seq: number
  readonly run: string
  readonly state: 'open' | 'complete' | 'abandoned'
  readonly isForeign: boolean
  /** the "-1" of a foreign run has come */
  readonly endSeen: boolean
  /** ms since 1970 */
  readonly openedAt: number
  readonly end: RunEnd | undefined
  /** position in the order of publication on this reader */
  readonly published: number | undefined
  /** position in the order of finished runs of the results bucket */
  readonly position: number | undefined
  readonly publishedAt: number | undefined
  readonly recorded: number
  readonly texts: number
  readonly failed: number
  /** answers that this run paid for, and those of earlier runs that it used */
  readonly asked: number
  readonly reused: number
  readonly requests: CallCounts
}

/** How an outcome came about: paid for, from an earlier answer, or neither (a failure). */
export type OutcomeSource = 'asked' | 'reused' | 'none'

/** A closed run is remembered at least as long as SQS may deliver its messages again: 14 days, and some more. */
const rememberClosedMs = 30 * 86_400_000

/**
 * Runs whose results are here, the one that results.txt shows first: it began last. Of runs that began within the same
 * second, the one that was finished last.
 */
const newestPublished = 'FROM runs WHERE published IS NOT NULL ORDER BY begun DESC, published DESC'

/** Closed runs in the order in which `keepRuns` keeps them: the one that results.txt shows, then those that began last. */
export const keptFirst = `seq IS (SELECT seq ${newestPublished} LIMIT 1) DESC, begun DESC, seq DESC`

/** The reader's runs and outcomes. Methods that write are for use inside a commit, but for those that return a promise. */
export class ReaderRuns {
  readonly #database: StateDatabase

  constructor(database: StateDatabase) {
    this.#database = database
  }

  get(run: string): ReaderRunRow | undefined {
    const row = this.#database.prepare('SELECT * FROM runs WHERE run = ?').get(run)
    return row && parseRun(row)
  }

  /** Runs that are neither complete nor abandoned, oldest first. */
  open(): ReaderRunRow[] {
    return this.#database.prepare("SELECT * FROM runs WHERE state = 'open' ORDER BY seq").all().map(parseRun)
  }

  /** The run that results.txt shows: of those that are complete, the one that began last, whenever it was completed. */
  latest(): ReaderRunRow | undefined {
    const row = this.#database.prepare(`SELECT * ${newestPublished} LIMIT 1`).get()
    return row && parseRun(row)
  }

  /** @returns the run that began last, whatever became of it */
  newest(): string | undefined {
    const row = this.#database.prepare('SELECT run FROM runs ORDER BY begun DESC LIMIT 1').get()
    return row && String(row.run)
  }

  /** The last place in the order of publication; 0 = none. */
  lastPublished(): number {
    const row = this.#database.prepare('SELECT max(published) AS last FROM runs').get()
    return Number(row?.last ?? 0)
  }

  /** Whether results.txt shows a run as soon as it is complete: no complete run has begun later. */
  isNewest(seq: number): boolean {
    const newer = `SELECT 1 FROM runs WHERE published IS NOT NULL AND begun > (SELECT begun FROM runs WHERE seq = ?)`
    return this.#database.prepare(newer).get(seq) === undefined
  }

  /** @returns the run's row, begun when its first message comes */
  async begin(run: string): Promise<ReaderRunRow> {
    const known = this.get(run)
    if (known) return known
    await this.#database.commit(() => this.insert(run))
    const row = this.get(run)
    if (!row) throw new Error(`run ${run} is not in the database`)
    return row
  }

  /** @returns the row's seq */
  insert(run: string, { isForeign = false } = {}): number {
    const now = Date.now()
    this.#database
      .prepare(
        'INSERT OR IGNORE INTO runs (run, state, is_foreign, opened_at, updated_at) VALUES (?, ?, ?, ?, ?)',
      )
      .run(run, 'open', isForeign ? 1 : 0, now, now)
    const row = this.#database.prepare('SELECT seq FROM runs WHERE run = ?').get(run)
    return Number(row?.seq)
  }

  hasOutcome(seq: number, n: number): boolean {
    return this.#database.prepare('SELECT 1 FROM outcomes WHERE run = ? AND n = ?').get(seq, n) !== undefined
  }

  /** The first outcome of an image holds. @returns whether this one was the first */
  addOutcome(seq: number, outcome: Outcome, source: OutcomeSource): boolean {
    const { changes } = this.#database
      .prepare(
        `INSERT OR IGNORE INTO outcomes
           (run, n, sort_key, key, etag, confidence, boxes, sent_at, at, outcome, lines, reason)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        seq,
        outcome.n,
        naturalSortKey(outcome.key),
        outcome.key,
        outcome.etag ?? null,
        outcome.confidence ?? null,
        outcome.boxes === undefined ? null : JSON.stringify(outcome.boxes),
        outcome.sentAt ?? null,
        outcome.at,
        outcome.outcome,
        outcome.outcome === 'text' ? JSON.stringify(outcome.lines) : null,
        outcome.outcome === 'failed' ? outcome.reason : null,
      )
    if (changes === 0) return false
    this.#database
      .prepare(
        `UPDATE runs SET recorded = recorded + 1, texts = texts + ?, failed = failed + ?, asked = asked + ?,
           reused = reused + ?, updated_at = ? WHERE seq = ?`,
      )
      .run(
        outcome.outcome === 'text' ? 1 : 0,
        outcome.outcome === 'failed' ? 1 : 0,
        source === 'asked' ? 1 : 0,
        source === 'reused' ? 1 : 0,
        outcome.at,
        seq,
      )
    return true
  }

  /** Numbers that have an outcome, up to a run's count: a number beyond it is not part of the run. */
  countOutcomes(seq: number, count: number): number {
    const row = this.#database
      .prepare('SELECT count(*) AS count FROM outcomes WHERE run = ? AND n <= ?')
      .get(seq, count)
    return Number(row?.count)
  }

  /** Numbers from 1 to `count` that have no outcome here. */
  *missing(seq: number, count: number): Generator<number> {
    let next = 1
    const rows = this.#database
      .prepare('SELECT n FROM outcomes WHERE run = ? AND n <= ? ORDER BY n')
      .iterate(seq, count)
    for (const row of rows) {
      for (; next < Number(row.n); next++) yield next
      next = Number(row.n) + 1
    }
    for (; next <= count; next++) yield next
  }

  /** A run's outcomes in natural order of the keys, each key once (the lower number), none beyond `count`. */
  *outcomes(seq: number, count: number): Generator<Outcome> {
    let sortKey: unknown = Buffer.alloc(0)
    let n = 0
    let previousKey: string | undefined
    for (;;) {
      const rows = this.#database
        .prepare(
          `SELECT * FROM outcomes WHERE run = ? AND (sort_key, n) > (?, ?) ORDER BY sort_key, n LIMIT ${rowsAtOnce}`,
        )
        .all(seq, sortKey as Uint8Array, n)
      for (const row of rows) {
        const outcome = parseOutcome(row)
        if (outcome.n <= count && outcome.key !== previousKey) yield outcome
        previousKey = outcome.key
      }
      const last = rows.at(-1)
      if (!last) return
      sortKey = last.sort_key
      n = Number(last.n)
    }
  }

  /** A run's outcomes with numbers above `after`, in their order: a thousand at most. */
  outcomesAbove(seq: number, after: number): Outcome[] {
    return this.#database
      .prepare(`SELECT * FROM outcomes WHERE run = ? AND n > ? ORDER BY n LIMIT ${rowsAtOnce}`)
      .all(seq, after)
      .map(parseOutcome)
  }

  /** When the newest of a run's outcomes was recorded, ms since 1970. */
  newestOutcomeAt(seq: number): number {
    const row = this.#database.prepare('SELECT max(at) AS at FROM outcomes WHERE run = ?').get(seq)
    return Number(row?.at ?? 0)
  }

  /** The first end of a run holds. */
  setEnd(seq: number, end: RunEnd): void {
    this.#database
      .prepare('UPDATE runs SET end = ? WHERE seq = ? AND end IS NULL')
      .run(JSON.stringify(end), seq)
  }

  markEndSeen(seq: number): void {
    this.#database.prepare('UPDATE runs SET end_seen = 1 WHERE seq = ?').run(seq)
  }

  /**
   * The run's results are published: it takes no more outcomes.
   *
   * @param position in the order of finished runs of the results bucket
   */
  setComplete(seq: number, position?: number): void {
    const now = Date.now()
    this.#database
      .prepare(
        `UPDATE runs SET state = 'complete', waiting = NULL, published_at = ?, updated_at = ?, position = ?,
           published = (SELECT coalesce(max(published), 0) + 1 FROM runs) WHERE seq = ?`,
      )
      .run(now, now, position ?? null, seq)
  }

  /** The run's results are gone: it stays closed, so that messages that come once more begin no new run. */
  setDeleted(seq: number): void {
    this.#database
      .prepare("UPDATE runs SET state = 'complete', waiting = NULL, published = NULL WHERE seq = ?")
      .run(seq)
  }

  setAbandoned(seq: number): void {
    this.#database
      .prepare("UPDATE runs SET state = 'abandoned', waiting = NULL, updated_at = ? WHERE seq = ?")
      .run(Date.now(), seq)
  }

  /** Deletes what closed runs no longer need. */
  async deleteDetails(): Promise<void> {
    const closed = `run IN (SELECT seq FROM runs WHERE state <> 'open')`
    for (const table of ['outcomes', 'foreign_images']) {
      const rows = `SELECT run, n FROM ${table} WHERE ${closed} LIMIT ${rowsAtOnce}`
      await this.#database.deleteInParts(`DELETE FROM ${table} WHERE (run, n) IN (${rows})`)
    }
  }

  /** For `imgpipe status`. @param progress.requests those since the last time */
  setProgress(
    seq: number,
    progress: { perSecond: number; waiting: string | undefined; requests: CallCounts },
  ): void {
    const row = this.#database.prepare('SELECT requests FROM runs WHERE seq = ?').get(seq)
    const requests = addCounts(JSON.parse(String(row?.requests ?? '{}')), progress.requests)
    this.#database
      .prepare('UPDATE runs SET per_second = ?, waiting = ?, requests = ?, updated_at = ? WHERE seq = ?')
      .run(progress.perSecond, progress.waiting ?? null, JSON.stringify(requests), Date.now(), seq)
  }

  /**
   * Deletes the answers that only closed runs beyond `keepRuns` have used, and forgets those of them whose messages can no
   * longer come.
   *
   * @returns the closed runs whose files are to be deleted
   */
  async prune(keepRuns: number): Promise<string[]> {
    const old = this.#database
      .prepare(
        `SELECT seq, run, updated_at FROM runs WHERE state <> 'open' ORDER BY ${keptFirst} LIMIT -1 OFFSET ?`,
      )
      .all(keepRuns)
    if (old.length === 0) return []
    const newestKept = this.#newestKept(keepRuns)
    const unused = old.filter(({ seq }) => Number(seq) < newestKept)
    await deleteAnswersUsedBy(
      this.#database,
      unused.map(({ seq }) => Number(seq)),
    )
    await this.#database.commit(() => {
      for (const { seq, updated_at } of unused)
        if (Number(updated_at) < Date.now() - rememberClosedMs) this.forget(Number(seq))
    })
    return old.map(({ run }) => String(run))
  }

  /**
   * An answer names the run that used it last by `seq`, the order of first messages: a run that came late, but began before
   * those that are kept, may stand for one of them.
   */
  #newestKept(keepRuns: number): number {
    const kept = `SELECT seq FROM runs WHERE state <> 'open' ORDER BY ${keptFirst} LIMIT ?`
    const newest = this.#database.prepare(`SELECT max(seq) AS seq FROM (${kept})`).get(keepRuns)
    return Number(newest?.seq ?? 0)
  }

  /** Removes every trace of a run. */
  forget(seq: number): void {
    for (const table of ['outcomes', 'foreign_images', 'foreign_messages'])
      this.#database.prepare(`DELETE FROM ${table} WHERE run = ?`).run(seq)
    this.#database.prepare('DELETE FROM runs WHERE seq = ?').run(seq)
  }
}

function parseRun(row: Record<string, unknown>): ReaderRunRow {
  const optional = (value: unknown) => (value === null ? undefined : Number(value))
  return {
    seq: Number(row.seq),
    run: String(row.run),
    state: row.state as ReaderRunRow['state'],
    isForeign: row.is_foreign === 1,
    endSeen: row.end_seen === 1,
    openedAt: Number(row.opened_at),
    end: row.end === null ? undefined : JSON.parse(String(row.end)),
    published: optional(row.published),
    position: optional(row.position),
    publishedAt: optional(row.published_at),
    recorded: Number(row.recorded),
    texts: Number(row.texts),
    failed: Number(row.failed),
    asked: Number(row.asked),
    reused: Number(row.reused),
    requests: JSON.parse(String(row.requests)),
  }
}

/** @returns an outcome as a row holds it */
export function parseOutcome(row: Record<string, unknown>): Outcome {
  const subject = {
    n: Number(row.n),
    key: String(row.key),
    ...(row.etag !== null && { etag: String(row.etag) }),
    ...(row.confidence !== null && { confidence: Number(row.confidence) }),
    ...(row.boxes !== null && { boxes: JSON.parse(String(row.boxes)) }),
    ...(row.sent_at !== null && { sentAt: Number(row.sent_at) }),
    at: Number(row.at),
  }
  switch (row.outcome) {
    case 'text':
      return { ...subject, outcome: 'text', lines: JSON.parse(String(row.lines)) }
    case 'no-text':
      return { ...subject, outcome: 'no-text' }
    default:
      return { ...subject, outcome: 'failed', reason: String(row.reason) }
  }
}
