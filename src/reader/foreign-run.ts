import type { Outcome } from '../protocol/outcomes.ts'
import { isForeignRunId, newForeignRunId } from '../protocol/run-id.ts'
import type { Ledger } from './ledger.ts'
import type { LocalRuns } from './local-runs.ts'
import type { Standing } from './run-book.ts'

/** After "-1", so many long polls without a message end the run: nothing says how many there should be. */
const emptyPollsToEnd = 2

/**
 * The run of messages that carry no run, from another implementation's detector. It begins with the first such
 * message, tells pictures apart by their keys and repeated messages by SQS's MessageId, and ends after its "-1"
 * and two empty long polls.
 */
export class ForeignRun {
  readonly #runs: LocalRuns
  #ledger: Ledger | undefined
  #beginning: Promise<Ledger> | undefined
  #nextNumber = 1
  #emptyPolls = 0
  /** messages of the run that ended last: SQS may still repeat them */
  #endedIds: ReadonlySet<string> = new Set()

  constructor(runs: LocalRuns) {
    this.#runs = runs
    this.#goOnWith(runs.openLedgers.find(({ run }) => isForeignRunId(run)))
  }

  /** "-1" has come and the run only waits for the queue to stay empty. */
  get isEnding(): boolean {
    return this.#ledger?.lastSeen === true
  }

  async standing(key: string, id: string): Promise<Standing> {
    this.#emptyPolls = 0
    if (this.#endedIds.has(id)) return 'settled'
    const { foreignIds, foreignKeys } = await this.#current()
    return foreignIds.has(id) || foreignKeys.has(key) ? 'settled' : 'open'
  }

  /** @param outcome its number is given here, in the order of recording, so that there are no gaps */
  async record(outcome: Outcome): Promise<void> {
    const { run } = await this.#current()
    await this.#runs.record(run, { ...outcome, n: this.#nextNumber++ })
  }

  /** "-1" */
  async recordLast(id: string): Promise<void> {
    this.#emptyPolls = 0
    if (this.#endedIds.has(id)) return
    const ledger = await this.#current()
    if (!ledger.lastSeen) await ledger.record({ last: true, at: Date.now(), id })
  }

  /** A long poll came back empty while nothing was in hand. */
  async emptyPoll(): Promise<void> {
    const ledger = this.#ledger
    if (!ledger?.lastSeen || ++this.#emptyPolls < emptyPollsToEnd) return
    this.#endedIds = ledger.foreignIds
    this.#ledger = undefined
    this.#emptyPolls = 0
    const count = ledger.size
    await this.#runs.recordEnd(ledger.run, { count, images: count, failed: 0, abandoned: false })
  }

  /** The run's ledger, begun when there is none: once, however many messages come together. */
  async #current(): Promise<Ledger> {
    if (this.#ledger) return this.#ledger
    this.#beginning ??= this.#begin()
    return this.#beginning
  }

  async #begin(): Promise<Ledger> {
    const ledger = await this.#runs.ledger(newForeignRunId(new Date()))
    this.#goOnWith(ledger)
    this.#beginning = undefined
    return ledger
  }

  #goOnWith(ledger: Ledger | undefined): void {
    this.#ledger = ledger
    this.#nextNumber = (ledger?.size ?? 0) + 1
  }
}
