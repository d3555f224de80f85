import { credentialsAdvice } from '../host/credentials-advice.ts'
import type { Log } from '../host/log.ts'
import type { Failure } from './failure.ts'

/** A shorter interruption is not worth a line: most are over after one retry. */
const warnAfterMs = 5_000
const repeatMs = 3_600_000
/** Without a failure for so long, and with a success since, the work has recovered. Pauses between retries are shorter. */
const recoveredAfterMs = 30_000
/** What fails again soon after it has recovered is worth another line only when it lasts. */
const relapse = { withinMs: 600_000, warnAfterMs: 300_000 }
/** A wait that nobody has reported for so long is not being waited for any more: the worker may hang. */
const staleAfterMs = 180_000

interface Outage {
  readonly since: number
  readonly warnAfterMs: number
  lastReportedAt: number
  warnedAt: number | undefined
  succeededAt: number | undefined
  sentence: string
}

/**
 * What the worker is waiting for, for the log and for STATUS. So an outage with a hundred images in flight is one line,
 * and so is a partial outage in which successes and failures alternate.
 *
 *     reported ── lasts for 5 s ──► warned about, again every hour ── succeeded ──► recovered
 *
 * A success ends an outage at once where only one call is made at a time; otherwise when nothing was reported for a
 * while as well. An outage that was not warned about, or that nobody reports any more, ends in silence.
 */
export class OutageLog {
  readonly #log: Log
  readonly #now: () => number
  readonly #outages = new Map<string, Outage>()
  /** when the work has recovered from an outage that was warned about, or from a relapse */
  readonly #recoveredAt = new Map<string, number>()

  /** @param now monotonic milliseconds */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  /**
   * @param what the work that fails, as an infinitive: `send to the queue "imgpipe"`
   * @param options.sinceMs how long the attempt that failed had been waiting
   */
  report(what: string, failure: Failure, options: { sinceMs?: number } = {}): void {
    this.#report(what, failureSentence(what, failure), { ...options, suffix: '; retrying' })
  }

  /** Reports a wait that is not a failure of a request, in one sentence: a full disk, a daily limit. */
  wait(what: string, sentence: string, options: { atOnce?: boolean } = {}): void {
    this.#report(what, sentence, options)
  }

  #report(what: string, sentence: string, { sinceMs = 0, atOnce = false, suffix = '' }): void {
    const now = this.#now()
    const outage = this.#lasting(what, now) ?? this.#begin(what, now - sinceMs, sentence)
    outage.lastReportedAt = now
    outage.sentence = sentence
    const isDue =
      outage.warnedAt === undefined
        ? atOnce || now - outage.since >= outage.warnAfterMs
        : now - outage.warnedAt >= repeatMs
    if (!isDue) return
    outage.warnedAt = now
    this.#log.warn(sentence + suffix)
  }

  /**
   * The work has succeeded. Unless `atOnce`, the outage ends only when nothing has failed for some time: a success of
   * one image says little while others still fail.
   */
  succeeded(what: string, { atOnce = false } = {}): void {
    const now = this.#now()
    const outage = this.#outages.get(what)
    if (!outage) return
    outage.succeededAt = now
    if (atOnce || isOver(outage, now)) this.#end(what, outage)
  }

  /**
   * Ends the outages that are over; to be called from time to time.
   *
   * @param options.final the work is done: what has succeeded since its last failure has recovered
   */
  settle({ final = false } = {}): void {
    const now = this.#now()
    for (const [what, outage] of this.#outages) {
      if (isOver(outage, now) || (final && hasSucceeded(outage))) this.#end(what, outage)
    }
  }

  /** One sentence for STATUS; undefined when the worker waits for nothing. */
  get summary(): string | undefined {
    const now = this.#now()
    const lasting = [...this.#outages.values()].filter(
      (outage) =>
        !isOver(outage, now) &&
        (outage.lastReportedAt - outage.since >= warnAfterMs / 2 || now - outage.since >= warnAfterMs),
    )
    return lasting.sort((a, b) => b.lastReportedAt - a.lastReportedAt)[0]?.sentence
  }

  /** Whether some wait was reported lately: a worker that hangs reports nothing. */
  get isWaiting(): boolean {
    const now = this.#now()
    return [...this.#outages.values()].some((outage) => !isOver(outage, now))
  }

  /** The outage that a report belongs to, if it begins no new one. */
  #lasting(what: string, now: number): Outage | undefined {
    const outage = this.#outages.get(what)
    if (!outage || !isOver(outage, now)) return outage
    this.#end(what, outage)
    return undefined
  }

  #begin(what: string, since: number, sentence: string): Outage {
    const outage = {
      since,
      warnAfterMs: this.#isRelapse(what) ? relapse.warnAfterMs : warnAfterMs,
      lastReportedAt: since,
      warnedAt: undefined,
      succeededAt: undefined,
      sentence,
    }
    this.#outages.set(what, outage)
    return outage
  }

  #isRelapse(what: string): boolean {
    return this.#now() - (this.#recoveredAt.get(what) ?? Number.NEGATIVE_INFINITY) < relapse.withinMs
  }

  #end(what: string, { warnedAt, succeededAt, since }: Outage): void {
    this.#outages.delete(what)
    if (succeededAt === undefined) return
    if (warnedAt !== undefined || this.#isRelapse(what)) this.#recoveredAt.set(what, succeededAt)
    if (warnedAt === undefined) return
    this.#log.info(`recovered after ${Math.round((succeededAt - since) / 1000)} s: ${what}`)
  }
}

function isOver(outage: Outage, now: number): boolean {
  const quietMs = now - outage.lastReportedAt
  return quietMs >= staleAfterMs || (hasSucceeded(outage) && quietMs >= recoveredAfterMs)
}

/** Since the last failure. */
function hasSucceeded({ lastReportedAt, succeededAt }: Outage): boolean {
  return succeededAt !== undefined && succeededAt >= lastReportedAt
}

function failureSentence(what: string, failure: Failure): string {
  if (failure.kind === 'credentials') {
    const advice = credentialsAdvice()
    const remedy = advice === undefined ? '' : `: ${advice}`
    return `waiting for new credentials to ${what} (${failure.message})${remedy}`
  }
  if (failure.kind === 'denied') return `not permitted to ${what} (${failure.message}): grant the permission`
  return `cannot ${what} (${failure.message})`
}
