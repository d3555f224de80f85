import { AwsError } from '../aws/errors.ts'
import type { Operation } from './answers.ts'
import type { StateDatabase } from './database.ts'

/** The daily limit is reached; nothing is wrong. */
export class DailyLimitReached extends Error {
  /** ms since 1970: the next UTC day */
  readonly continuesAt: number

  constructor(maxCallsPerDay: number, continuesAt: number) {
    const at = new Date(continuesAt).toISOString().replace(':00.000Z', 'Z')
    super(
      `the limit of ${maxCallsPerDay} Rekognition calls a day (maxCallsPerDay) is reached; continues at ${at}`,
    )
    this.name = 'DailyLimitReached'
    this.continuesAt = continuesAt
  }
}

export type CallResult = 'answered' | 'throttled' | 'failed'

const dayMs = 86_400_000
/**
 * Counts a worker's Rekognition calls by UTC day, and keeps them below `maxCallsPerDay` whatever happens: a call is
 * reserved durably before it is made, so that a crash loses a reservation and never exceeds the limit. Without a limit
 * too: it may be set in the middle of a day, and holds for the whole of it.
 */
export class DailyCalls {
  readonly #database: StateDatabase
  readonly #region: string
  readonly #max: number
  readonly #now: () => number

  /** @param options.maxCallsPerDay 0 = no limit. @param options.now ms since 1970 */
  constructor(
    database: StateDatabase,
    options: { region: string; maxCallsPerDay: number; now?: () => number },
  ) {
    this.#database = database
    this.#region = options.region
    this.#max = options.maxCallsPerDay
    this.#now = options.now ?? Date.now
  }

  /** Whether no call is left for today. */
  get isExhausted(): boolean {
    return this.#max > 0 && countReserved(this.#database, this.#now()) >= this.#max
  }

  /**
   * The beginning of the first UTC day on which calls are left again, ms since 1970: tomorrow, or later when a clock that was
   * wrong has reserved calls for days to come.
   */
  get continuesAt(): number {
    const days = reservedByDay(this.#database, this.#now())
    let left = total(days)
    let last = dayOf(this.#now())
    for (const [day, count] of days) {
      if (left < this.#max) break
      left -= count
      last = day
    }
    return Date.parse(last) + dayMs
  }

  /**
   * Makes one call with a reservation, which is given back when the call was certainly not billed.
   *
   * @throws {DailyLimitReached} and what the call throws
   */
  async reserved<T>(operation: Operation, call: () => Promise<T>): Promise<T> {
    const day = await this.#database.commit(() => {
      if (this.isExhausted) return undefined
      const today = dayOf(this.#now())
      this.#add(today, operation, 'reserved', 1)
      return today
    })
    if (day === undefined) throw new DailyLimitReached(this.#max, this.continuesAt)
    try {
      return await call()
    } catch (error) {
      if (error instanceof AwsError && !error.mayBeBilled) await this.#release(day, operation)
      throw error
    }
  }

  /** Inside a commit: counts what calls came to. */
  count(operation: Operation, result: CallResult, count = 1): void {
    if (count !== 0) this.#add(dayOf(this.#now()), operation, result, count)
  }

  /** Counts an answer that belongs to no other commit. */
  async recordAnswer(operation: Operation): Promise<void> {
    await this.#database.commit(() => this.count(operation, 'answered'))
  }

  #add(day: string, operation: Operation, column: 'reserved' | CallResult, count: number): void {
    this.#database
      .prepare(
        `INSERT INTO calls (day, operation, region, ${column}) VALUES (?, ?, ?, ?)
         ON CONFLICT (day, operation, region) DO UPDATE SET ${column} = ${column} + excluded.${column}`,
      )
      .run(day, operation, this.#region, count)
  }

  /** @param day of the reservation: after midnight, today's belong to other calls */
  async #release(day: string, operation: Operation): Promise<void> {
    await this.#database.commit(() =>
      this.#database
        .prepare(
          'UPDATE calls SET reserved = reserved - 1 WHERE day = ? AND operation = ? AND region = ? AND reserved > 0',
        )
        .run(day, operation, this.#region),
    )
  }
}

/**
 * Today's reservations. Those of later days count too: they were made by a clock that has since been set back, and
 * forgetting them would allow the limit twice.
 *
 * @param now ms since 1970
 */
export function countReserved(database: StateDatabase, now: number): number {
  return total(reservedByDay(database, now))
}

/** Today and later, in order. */
function reservedByDay(database: StateDatabase, now: number): (readonly [day: string, count: number])[] {
  return database
    .prepare('SELECT day, sum(reserved) AS count FROM calls WHERE day >= ? GROUP BY day ORDER BY day')
    .all(dayOf(now))
    .map(({ day, count }) => [String(day), Number(count)])
}

function total(days: readonly (readonly [day: string, count: number])[]): number {
  return days.reduce((sum, [, count]) => sum + count, 0)
}

/** @returns the UTC day by which calls are counted */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** Attempts that cost nothing, gathered until the next commit. */
export class CallTally {
  readonly #counts = { throttled: 0, failed: 0 }

  add(result: CallResult): void {
    if (result !== 'answered') this.#counts[result]++
  }

  /** @returns what has been added since the last time */
  take(): Readonly<Record<'throttled' | 'failed', number>> {
    const taken = { ...this.#counts }
    this.#counts.throttled = 0
    this.#counts.failed = 0
    return taken
  }
}
