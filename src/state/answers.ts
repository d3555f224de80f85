import { setImmediate } from 'node:timers/promises'
import { rowsAtOnce, type StateDatabase } from './database.ts'

export type Operation = 'DetectLabels' | 'DetectText'

/** Rekognition's answer about one image, or its refusal; `Content` is what the caller keeps of it. */
export type Answer<Content> =
  | { readonly kind: 'answer'; readonly model: string; readonly content: Content }
  | { readonly kind: 'refusal'; readonly reason: string }

export interface StoredAnswer<Content> {
  readonly key: string
  readonly etag: string
  readonly askedBy: string
  /** the lowest confidence that was asked for, 0 to 100 */
  readonly minConfidence: number
  readonly answer: Answer<Content>
}

export interface KeyRange {
  readonly prefix: string
  readonly after: string
  readonly last: string | undefined
}

/** Reads answers in parts: {@link answersAbout}. */
export interface AnswerSource<Content> {
  /** The first thousand answers of a range. */
  between(range: KeyRange): readonly StoredAnswer<Content>[] | Promise<readonly StoredAnswer<Content>[]>
}

/** Sorts behind every key that has the same beginning. */
const lastCodePoint = '\u{10FFFF}'

/** The object that an answer is about. */
export interface AnswerSubject {
  readonly key: string
  readonly etag: string
}

/** Which answers may be used: not those asked for with a higher confidence, and not those of other runs if `askedBy` is set. */
export interface AnswerRequirements {
  readonly maxMinConfidence: number
  readonly askedBy?: string | undefined
}

/** The answers of one operation about one bucket. */
export class AnswerStore<Content> {
  readonly #database: StateDatabase
  readonly #bucket: string
  readonly #operation: Operation

  constructor(database: StateDatabase, bucket: string, operation: Operation) {
    this.#database = database
    this.#bucket = bucket
    this.#operation = operation
  }

  /** @returns the answer about exactly this object, if there is one that may be used */
  find({ key, etag }: AnswerSubject, requirements: AnswerRequirements): Answer<Content> | undefined {
    const row = this.#database
      .prepare('SELECT * FROM answers WHERE bucket = ? AND operation = ? AND key = ?')
      .get(this.#bucket, this.#operation, key)
    const stored = row && this.#parse(row)
    return stored && isUsable(stored, etag, requirements) ? stored.answer : undefined
  }

  /**
   * The first thousand answers about a part of the bucket, in the order in which S3 lists keys.
   *
   * @param range after one key up to another, `last` undefined = to the end; only keys that start with `prefix`
   */
  between({ prefix, after, last }: KeyRange): StoredAnswer<Content>[] {
    const end = `${prefix}${lastCodePoint}`
    // The unary plus makes the index start at the greater one of the lower bounds.
    return this.#database
      .prepare(
        `SELECT * FROM answers WHERE bucket = ? AND operation = ? AND key >= max(?, ?) AND +key > ? AND key <= min(?, ?)
           ORDER BY key LIMIT ${rowsAtOnce}`,
      )
      .all(this.#bucket, this.#operation, prefix, after, after, end, last ?? end)
      .map((row) => this.#parse(row))
  }

  /** Some key that was answered, to try whether objects can be read at all. */
  anyKey(prefix: string): string | undefined {
    const row = this.#database
      .prepare('SELECT key FROM answers WHERE bucket = ? AND operation = ? AND key >= ? ORDER BY key LIMIT 1')
      .get(this.#bucket, this.#operation, prefix)
    return row !== undefined && String(row.key).startsWith(prefix) ? String(row.key) : undefined
  }

  /** Inside a commit: keeps an answer in the place of an older one about the same key, for as long as that one or longer. */
  put(
    { key, etag }: AnswerSubject,
    answer: Answer<Content>,
    asked: { by: string; seq: number; at: number; minConfidence: number },
  ): void {
    const isAnswer = answer.kind === 'answer'
    this.#database
      .prepare(
        `INSERT INTO answers
           (bucket, operation, key, etag, asked_by, used_by, asked_at, model, min_confidence, answer, refusal)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (bucket, operation, key) DO UPDATE SET
           etag = excluded.etag, asked_by = excluded.asked_by, used_by = max(used_by, excluded.used_by),
           asked_at = excluded.asked_at, model = excluded.model, min_confidence = excluded.min_confidence,
           answer = excluded.answer, refusal = excluded.refusal`,
      )
      .run(
        this.#bucket,
        this.#operation,
        key,
        etag,
        asked.by,
        asked.seq,
        asked.at,
        isAnswer ? answer.model : null,
        asked.minConfidence,
        isAnswer ? JSON.stringify(answer.content) : null,
        isAnswer ? null : answer.reason,
      )
  }

  /** Inside a commit: notes that a run has used the answer, so that it is kept as long as the newest run that did. */
  use(key: string, seq: number): void {
    this.#database
      .prepare('UPDATE answers SET used_by = max(used_by, ?) WHERE bucket = ? AND operation = ? AND key = ?')
      .run(seq, this.#bucket, this.#operation, key)
  }

  /** Inside a commit: forgets keys. */
  remove(keys: Iterable<string>): void {
    const statement = this.#database.prepare(
      'DELETE FROM answers WHERE bucket = ? AND operation = ? AND key = ?',
    )
    for (const key of keys) statement.run(this.#bucket, this.#operation, key)
  }

  #parse(row: Record<string, unknown>): StoredAnswer<Content> {
    const { refusal } = row
    return {
      key: String(row.key),
      etag: String(row.etag),
      askedBy: String(row.asked_by),
      minConfidence: Number(row.min_confidence),
      answer:
        typeof refusal === 'string'
          ? { kind: 'refusal', reason: refusal }
          : { kind: 'answer', model: String(row.model), content: JSON.parse(String(row.answer)) },
    }
  }
}

/**
 * The answers about the keys of a page of a listing. What else is in its range is about keys that are no longer listed:
 * there may be any number of them, so they come in parts, and the event loop goes on in between.
 *
 * @param range the keys that the page covers
 * @param onGone takes a part of the keys that are not listed
 */
export async function answersAbout<Content>(
  answers: AnswerSource<Content>,
  listed: { has(key: string): boolean },
  range: KeyRange,
  onGone: (keys: readonly string[]) => unknown,
): Promise<Map<string, StoredAnswer<Content>>> {
  const stored = new Map<string, StoredAnswer<Content>>()
  for (let after: string | undefined = range.after; after !== undefined; ) {
    const some: readonly StoredAnswer<Content>[] = await answers.between({ ...range, after })
    const gone: string[] = []
    for (const answer of some) {
      if (listed.has(answer.key)) stored.set(answer.key, answer)
      else gone.push(answer.key)
    }
    if (gone.length > 0) await onGone(gone)
    after = some.length < rowsAtOnce ? undefined : some.at(-1)?.key
    await setImmediate()
  }
  return stored
}

/** Deletes the answers that these runs have used and no newer one, a part at a time. */
export async function deleteAnswersUsedBy(database: StateDatabase, runs: readonly number[]): Promise<void> {
  const some = `SELECT rowid FROM answers WHERE used_by IN (SELECT value FROM json_each(?)) LIMIT ${rowsAtOnce}`
  await database.deleteInParts(`DELETE FROM answers WHERE rowid IN (${some})`, JSON.stringify(runs))
}

/** Whether a stored answer is about this very object and says enough. A refusal holds at any confidence. */
export function isUsable(
  stored: StoredAnswer<unknown>,
  etag: string | undefined,
  { maxMinConfidence, askedBy }: AnswerRequirements,
): boolean {
  if (etag === undefined || stored.etag !== etag) return false
  if (askedBy !== undefined && stored.askedBy !== askedBy) return false
  return stored.answer.kind === 'refusal' || stored.minConfidence <= maxMinConfidence
}
