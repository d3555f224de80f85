import type { BoxTuple, FailedImage } from '../protocol/messages.ts'
import type { CallCounts } from '../protocol/outcomes.ts'
import { rowsAtOnce, type StateDatabase } from './database.ts'
import { type MetaName, readMeta, writeMeta } from './meta.ts'

/** The settings that make a run what it is: an unfinished run is resumed only under the same. */
export interface RunSettings {
  readonly bucket: string
  readonly prefix: string
  readonly maxImages: number
  readonly label: string
  readonly minConfidence: number
  readonly queue: string
  readonly region: string
}

export const runSettingKeys = [
  'bucket',
  'prefix',
  'maxImages',
  'label',
  'minConfidence',
  'queue',
  'region',
] as const satisfies (keyof RunSettings)[]

/** How far the listing is decided: every key up to `lastKey`. */
export interface Checkpoint {
  readonly lastKey: string
  readonly images: number
  /** keys that are no images */
  readonly skipped: number
  /** images decided from answers of earlier runs */
  readonly reused: number
  /** of key and ETag of the images, in any order (listing.ts) */
  readonly digest: string
}

export interface DetectorRunRow extends Checkpoint {
  readonly seq: number
  readonly run: string
  readonly state: 'open' | 'ended' | 'done' | 'abandoned'
  readonly settings: RunSettings
  readonly fresh: boolean
  /** ms since 1970 */
  readonly startedAt: number
  readonly endedAt: number | undefined
  /** when the queue was created, ms since 1970 by SQS's clock */
  readonly queueCreatedAt: number | undefined
  readonly cars: number
  readonly failed: number
  /** answers that this run paid for */
  readonly asked: number
  readonly requests: CallCounts
}

/** An image with the label, and its number in the run. */
export interface Car extends NewCar {
  readonly n: number
}

/** An image with the label; its number is given when it is committed. */
export interface NewCar {
  readonly key: string
  readonly etag: string | undefined
  readonly sizeBytes: number | undefined
  readonly confidence: number
  readonly boxes: readonly BoxTuple[]
}

/** For `imgpipe status`. */
export interface DetectorProgress {
  readonly processed: number
  readonly total: number | undefined
  readonly cars: number
  readonly failed: number
  readonly perSecond: number
  readonly waiting: string | undefined
  readonly requests: CallCounts
}

/** The detector's runs. Methods that write are for use inside a commit, but for those that return a promise. */
export class DetectorRuns {
  readonly #database: StateDatabase

  constructor(database: StateDatabase) {
    this.#database = database
  }

  /** Runs that have not been brought to their end, oldest first. */
  unfinished(): DetectorRunRow[] {
    return this.#rows("SELECT * FROM runs WHERE state IN ('open', 'ended') ORDER BY seq")
  }

  /** The newest run over this part of the bucket that was brought to its end. */
  lastDone({ bucket, prefix }: Pick<RunSettings, 'bucket' | 'prefix'>): DetectorRunRow | undefined {
    const done = this.#rows("SELECT * FROM runs WHERE state = 'done' ORDER BY seq DESC")
    return done.find(({ settings }) => settings.bucket === bucket && settings.prefix === prefix)
  }

  /**
   * The ID of the last run, over any bucket and prefix, whose end may be in this queue: the one that its readers come to show.
   * It stays what it is when that run is abandoned afterwards, or deleted.
   */
  lastEnd({ queue, region }: Pick<RunSettings, 'queue' | 'region'>): string | undefined {
    return readMeta(this.#database, lastEndOf({ queue, region }))
  }

  /** @returns the run that began last, whatever became of it */
  newest(): string | undefined {
    const row = this.#database.prepare('SELECT run FROM runs ORDER BY seq DESC LIMIT 1').get()
    return row && String(row.run)
  }

  get(run: string): DetectorRunRow | undefined {
    const row = this.#database.prepare('SELECT * FROM runs WHERE run = ?').get(run)
    return row && parseRun(row)
  }

  async begin(
    run: string,
    begun: { settings: RunSettings; fresh: boolean; at: number; queueCreatedAt: number | undefined },
  ): Promise<DetectorRunRow> {
    const { settings, fresh, at, queueCreatedAt } = begun
    await this.#database.commit(() =>
      this.#database
        .prepare(
          `INSERT INTO runs (run, state, settings, fresh, started_at, queue_created_at, updated_at)
           VALUES (?, 'open', ?, ?, ?, ?, ?)`,
        )
        .run(run, JSON.stringify(settings), fresh ? 1 : 0, at, queueCreatedAt ?? null, at),
    )
    const row = this.get(run)
    if (!row) throw new Error(`run ${run} is not in the database`)
    return row
  }

  /** Keys after `after` up to `last` that this run has decided although they are behind its checkpoint. */
  decidedBetween(seq: number, after: string, last: string): Set<string> {
    const keys = (table: 'cars' | 'failures') =>
      this.#database
        .prepare(`SELECT key FROM ${table} WHERE run = ? AND key > ? AND key <= ?`)
        .all(seq, after, last)
        .map(({ key }) => String(key))
    return new Set([...keys('cars'), ...keys('failures')])
  }

  /**
   * Gives a car the next number of its run. The transaction that adds it decides, so one that is rolled back leaves no gap.
   *
   * @returns the number, which holds once the commit has resolved
   */
  addCar(seq: number, { key, etag, sizeBytes, confidence, boxes }: NewCar): number {
    const row = this.#database
      .prepare(
        `INSERT INTO cars (run, n, key, etag, size, confidence, boxes)
         VALUES (?, (SELECT coalesce(max(n), 0) + 1 FROM cars WHERE run = ?), ?, ?, ?, ?, ?) RETURNING n`,
      )
      .get(seq, seq, key, etag ?? null, sizeBytes ?? null, confidence, JSON.stringify(boxes))
    return Number(row?.n)
  }

  /** Whether every number up to the highest one is given: what the end of a run promises its readers. */
  isNumberedWithoutGaps(seq: number): boolean {
    const row = this.#database.prepare('SELECT count(*) AS count FROM cars WHERE run = ?').get(seq)
    return Number(row?.count) === this.countCars(seq)
  }

  /** The highest number given: numbers have no gaps. */
  countCars(seq: number): number {
    const row = this.#database.prepare('SELECT coalesce(max(n), 0) AS count FROM cars WHERE run = ?').get(seq)
    return Number(row?.count)
  }

  markSent(seq: number, numbers: readonly number[], at: number): void {
    const statement = this.#database.prepare('UPDATE cars SET sent_at = ? WHERE run = ? AND n = ?')
    for (const n of numbers) statement.run(at, seq, n)
  }

  /** The queue was re-created: whatever was sent is gone with the old one, and has to be sent again. */
  async forgetSent(seq: number, queueCreatedAt: number): Promise<void> {
    await this.#database.commit(() => {
      this.#database.prepare('UPDATE cars SET sent_at = NULL WHERE run = ?').run(seq)
      this.#database.prepare('UPDATE runs SET queue_created_at = ? WHERE seq = ?').run(queueCreatedAt, seq)
    })
  }

  /** Cars whose message SQS has not confirmed, in order, `limit` at most. */
  unsentAfter(seq: number, n: number, limit: number): Car[] {
    return this.#database
      .prepare('SELECT * FROM cars WHERE run = ? AND sent_at IS NULL AND n > ? ORDER BY n LIMIT ?')
      .all(seq, n, limit)
      .map(parseCar)
  }

  addFailure(seq: number, { key, reason }: FailedImage): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO failures (run, key, reason) VALUES (?, ?, ?)')
      .run(seq, key, reason)
  }

  countFailures(seq: number): number {
    const row = this.#database.prepare('SELECT count(*) AS count FROM failures WHERE run = ?').get(seq)
    return Number(row?.count)
  }

  /** Those of some keys that failed in a run. */
  failedAmong(seq: number, keys: readonly string[]): Set<string> {
    const statement = this.#database.prepare('SELECT 1 FROM failures WHERE run = ? AND key = ?')
    return new Set(keys.filter((key) => statement.get(seq, key) !== undefined))
  }

  *failures(seq: number): Generator<FailedImage> {
    const rows = this.#database
      .prepare('SELECT key, reason FROM failures WHERE run = ? ORDER BY key')
      .iterate(seq)
    for (const { key, reason } of rows) yield { key: String(key), reason: String(reason) }
  }

  /** Counts an answer that this run paid for. */
  countAsked(seq: number): void {
    this.#database.prepare('UPDATE runs SET asked = asked + 1 WHERE seq = ?').run(seq)
  }

  checkpoint(
    seq: number,
    { lastKey, images, skipped, reused, digest }: Checkpoint,
    progress: DetectorProgress,
  ): void {
    this.#database
      .prepare(
        `UPDATE runs SET last_key = ?, images = ?, skipped = ?, reused = ?, digest = ?, processed = ?, total = ?,
           cars = ?, failed = ?, per_second = ?, waiting = ?, requests = ?, updated_at = ? WHERE seq = ?`,
      )
      .run(
        lastKey,
        images,
        skipped,
        reused,
        digest,
        progress.processed,
        progress.total ?? null,
        progress.cars,
        progress.failed,
        progress.perSecond,
        progress.waiting ?? null,
        JSON.stringify(progress.requests),
        Date.now(),
        seq,
      )
  }

  setState(seq: number, state: 'ended' | 'done' | 'abandoned'): void {
    const at = Date.now()
    this.#database
      .prepare(
        'UPDATE runs SET state = ?, ended_at = coalesce(ended_at, ?), updated_at = ?, waiting = NULL WHERE seq = ?',
      )
      .run(state, at, at, seq)
    if (state === 'abandoned') return
    const row = this.#database.prepare('SELECT run, settings FROM runs WHERE seq = ?').get(seq)
    const { queue, region }: RunSettings = JSON.parse(String(row?.settings))
    writeMeta(this.#database, lastEndOf({ queue, region }), String(row?.run))
  }

  /** Deletes the cars of closed runs, which need not be sent again. */
  async deleteSentCars(): Promise<void> {
    const closed =
      "SELECT run, n FROM cars WHERE run IN (SELECT seq FROM runs WHERE state IN ('done', 'abandoned'))"
    await this.#database.deleteInParts(`DELETE FROM cars WHERE (run, n) IN (${closed} LIMIT ${rowsAtOnce})`)
  }

  /**
   * Deletes the oldest closed runs beyond `keepRuns`. The last one that was brought to its end is kept in any case: the next
   * run is compared with it.
   *
   * @returns the deleted runs' IDs
   */
  async prune(keepRuns: number): Promise<string[]> {
    const old = this.#database
      .prepare(
        `SELECT seq, run FROM runs WHERE state IN ('done', 'abandoned')
           ORDER BY seq IS (SELECT max(seq) FROM runs WHERE state = 'done') DESC, seq DESC LIMIT -1 OFFSET ?`,
      )
      .all(keepRuns)
    // At once, so that small runs share commits.
    await Promise.all(old.map(({ seq }) => this.delete(Number(seq))))
    return old.map(({ run }) => String(run))
  }

  /** Deletes a closed run, a part at a time, with everything but the answers, which belong to the images. */
  async delete(seq: number): Promise<void> {
    for (const [table, column] of [
      ['cars', 'n'],
      ['failures', 'key'],
    ]) {
      const some = `SELECT ${column} FROM ${table} WHERE run = ?1 LIMIT ${rowsAtOnce}`
      const sql = `DELETE FROM ${table} WHERE run = ?1 AND ${column} IN (${some})`
      await this.#database.deleteInParts(sql, seq)
    }
    await this.#database.commit(() => this.#database.prepare('DELETE FROM runs WHERE seq = ?').run(seq))
  }

  #rows(sql: string): DetectorRunRow[] {
    return this.#database.prepare(sql).all().map(parseRun)
  }
}

/** A queue is the same one whether the setting has its name or its URL. */
function lastEndOf({ queue, region }: Pick<RunSettings, 'queue' | 'region'>): MetaName {
  return `last-end ${region} ${queue.slice(queue.lastIndexOf('/') + 1)}`
}

function parseRun(row: Record<string, unknown>): DetectorRunRow {
  return {
    seq: Number(row.seq),
    run: String(row.run),
    state: row.state as DetectorRunRow['state'],
    settings: JSON.parse(String(row.settings)),
    fresh: row.fresh === 1,
    startedAt: Number(row.started_at),
    endedAt: row.ended_at === null ? undefined : Number(row.ended_at),
    queueCreatedAt: row.queue_created_at === null ? undefined : Number(row.queue_created_at),
    lastKey: String(row.last_key),
    images: Number(row.images),
    skipped: Number(row.skipped),
    reused: Number(row.reused),
    digest: String(row.digest),
    cars: Number(row.cars),
    failed: Number(row.failed),
    asked: Number(row.asked),
    requests: JSON.parse(String(row.requests)),
  }
}

function parseCar(row: Record<string, unknown>): Car {
  return {
    n: Number(row.n),
    key: String(row.key),
    etag: row.etag === null ? undefined : String(row.etag),
    sizeBytes: row.size === null ? undefined : Number(row.size),
    confidence: Number(row.confidence),
    boxes: JSON.parse(String(row.boxes)),
  }
}
