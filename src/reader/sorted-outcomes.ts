import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readLog } from '../daemon/append-log.ts'
import { compareIndexes } from '../protocol/indexes.ts'
import type { LedgerLine, Outcome } from '../protocol/outcomes.ts'
import { NumberSet } from './number-set.ts'

/** So many outcomes are sorted in memory at a time; longer runs go through sorted files. */
const outcomesInMemory = 5000

/**
 * A run's outcomes in natural order of their indexes, each number once (the first one recorded), none beyond
 * the run's count: a merge sort over files, so that memory stays flat.
 *
 * @param source the ledger
 * @param folder where sorted parts are put; they are gone when the generator has ended
 */
export async function* sortedOutcomes(
  source: string,
  count: number,
  folder: string,
): AsyncGenerator<Outcome> {
  const parts: string[] = []
  try {
    let inMemory: Outcome[] = []
    for await (const outcome of distinctOutcomes(source, count)) {
      if (inMemory.length >= outcomesInMemory) {
        parts.push(await writePart(join(folder, `sorting-${parts.length}.tmp`), inMemory))
        inMemory = []
      }
      inMemory.push(outcome)
    }
    const sources = [
      ...parts.map((part) => readLog<Outcome>(part, () => undefined)),
      inMemory.sort(compareOutcomes),
    ]
    yield* merged(sources)
  } finally {
    for (const part of parts) await rm(part, { force: true })
  }
}

async function* distinctOutcomes(ledger: string, count: number): AsyncGenerator<Outcome> {
  const seen = new NumberSet()
  // Garbage was told when the ledger was opened.
  for await (const line of readLog<LedgerLine>(ledger, () => undefined)) {
    if ('outcome' in line && line.n <= count && seen.add(line.n)) yield line
  }
}

function compareOutcomes(a: Outcome, b: Outcome): number {
  return compareIndexes(a.key, b.key) || a.n - b.n
}

async function writePart(path: string, outcomes: Outcome[]): Promise<string> {
  const file = await open(path, 'w')
  try {
    for (const outcome of outcomes.sort(compareOutcomes)) await file.write(`${JSON.stringify(outcome)}\n`)
  } finally {
    await file.close()
  }
  return path
}

async function* merged(sources: (AsyncIterable<Outcome> | Iterable<Outcome>)[]): AsyncGenerator<Outcome> {
  const heads: { outcome: Outcome; rest: AsyncIterator<Outcome> | Iterator<Outcome> }[] = []
  const put = async (rest: AsyncIterator<Outcome> | Iterator<Outcome>) => {
    const next = await rest.next()
    if (!next.done) heads.push({ outcome: next.value, rest })
  }
  for (const source of sources) await put(iterate(source))
  while (heads.length > 0) {
    const least = heads.reduce((best, head, at) => (before(head, heads[best]) ? at : best), 0)
    const [head] = heads.splice(least, 1)
    if (!head) return
    yield head.outcome
    await put(head.rest)
  }
}

function before(head: { outcome: Outcome }, other: { outcome: Outcome } | undefined): boolean {
  return other === undefined || compareOutcomes(head.outcome, other.outcome) < 0
}

function iterate(
  source: AsyncIterable<Outcome> | Iterable<Outcome>,
): AsyncIterator<Outcome> | Iterator<Outcome> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
}
