import { join } from 'node:path'
import { AppendLog, type DiskWatch, readLog } from '../daemon/append-log.ts'
import type { CallCounts, LedgerLine, Outcome, RunEnd } from '../protocol/outcomes.ts'
import { NumberSet } from './number-set.ts'

export function runFolder(stateDir: string, run: string): string {
  return join(stateDir, 'runs', run)
}

export function ledgerPath(stateDir: string, run: string): string {
  return join(runFolder(stateDir, run), 'ledger.ndjson')
}

/**
 * B's write-ahead ledger of one run: what is in it is on the disk, and only then is its message deleted.
 * In memory it keeps one bit per picture, so a run of a million is as light as one of ten.
 */
export class Ledger {
  readonly run: string
  readonly #log: AppendLog<LedgerLine>
  readonly #recorded = new NumberSet()
  /** keys and message ids, for a run whose messages carry no numbers */
  readonly foreignKeys = new Set<string>()
  readonly foreignIds = new Set<string>()
  #withinCount = 0
  #end: RunEnd | undefined
  #lastSeen = false
  #texts = 0
  #failures = 0
  #earlierCalls: CallCounts = {}

  static async open(
    stateDir: string,
    run: string,
    watch: DiskWatch,
    onGarbage: (path: string, lineNumber: number) => void,
  ): Promise<Ledger> {
    const path = ledgerPath(stateDir, run)
    const ledger = new Ledger(run, await AppendLog.open<LedgerLine>(path, watch))
    for await (const line of readLog<LedgerLine>(path, (lineNumber) => onGarbage(path, lineNumber))) {
      if ('calls' in line) ledger.#earlierCalls = line.calls
      else ledger.#apply(line)
    }
    return ledger
  }

  private constructor(run: string, log: AppendLog<LedgerLine>) {
    this.run = run
    this.#log = log
  }

  /** pictures that have their outcome */
  get size(): number {
    return this.#recorded.size
  }

  get texts(): number {
    return this.#texts
  }

  get failures(): number {
    return this.#failures
  }

  get end(): RunEnd | undefined {
    return this.#end
  }

  /** "-1" of a foreign run has come; it ends when no more messages do */
  get lastSeen(): boolean {
    return this.#lastSeen
  }

  /** requests that earlier processes made for this run */
  get earlierCalls(): CallCounts {
    return this.#earlierCalls
  }

  has(n: number): boolean {
    return this.#recorded.has(n)
  }

  /** The end is known and all that it counts is there: numbers beyond the count are not part of the run. */
  get isComplete(): boolean {
    return this.#end !== undefined && !this.#end.abandoned && this.#withinCount === this.#end.count
  }

  /** @returns when the line is on the disk. @throws {ImgpipeError} `disk` */
  async record(line: LedgerLine): Promise<void> {
    await this.#log.append(line)
    this.#apply(line)
  }

  close(): Promise<void> {
    return this.#log.close()
  }

  #apply(line: LedgerLine): void {
    if ('outcome' in line) this.#applyOutcome(line)
    else if ('end' in line) this.#applyEnd(line.end)
    else if ('last' in line) this.#lastSeen = true
    if ('id' in line && line.id) this.foreignIds.add(line.id)
  }

  #applyOutcome(line: Outcome): void {
    if (!Number.isSafeInteger(line.n) || !this.#recorded.add(line.n)) return
    if (line.outcome === 'text') this.#texts++
    if (line.outcome === 'failed') this.#failures++
    if (this.#end && line.n <= this.#end.count) this.#withinCount++
    if (line.id) this.foreignKeys.add(line.key)
  }

  #applyEnd(end: RunEnd): void {
    if (this.#end) return
    this.#end = end
    this.#withinCount = this.#recorded.countThrough(end.count)
  }
}
