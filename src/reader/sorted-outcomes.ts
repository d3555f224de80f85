import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readLog } from '../daemon/append-log.ts'
import { compareText, naturalOrder } from '../protocol/indexes.ts'
import type { LedgerLine, Outcome } from '../protocol/outcomes.ts'
import { NumberSet } from './number-set.ts'

/** So many outcomes are sorted in memory at a time; longer runs go through sorted files. */
const outcomesInMemory = 2000

interface Placed {
  readonly order: string
  readonly outcome: Outcome
}

type Sorted = AsyncGenerator<Placed>

/**
 * A run's outcomes in natural order of their indexes, each number and each key once (the first one recorded, the
 * lower number), none beyond the run's count: a merge sort over files, so that memory stays flat.
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
    let inMemory: Placed[] = []
    for await (const outcome of distinctOutcomes(source, count)) {
      if (inMemory.length >= outcomesInMemory) {
        parts.push(await writePart(join(folder, `sorting-${parts.length}.tmp`), inMemory))
        inMemory = []
      }
      inMemory.push(placed(outcome))
    }
    const last = fromMemory(inMemory.sort(comparePlaced))
    let previousKey: string | undefined
    for await (const { outcome } of merged([...parts.map(fromFile), last])) {
      // A detector whose journal was damaged may have given a picture two numbers.
      if (outcome.key !== previousKey) yield outcome
      previousKey = outcome.key
    }
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

function placed(outcome: Outcome): Placed {
  return { order: naturalOrder(outcome.key), outcome }
}

function comparePlaced(a: Placed, b: Placed): number {
  return compareText(a.order, b.order) || a.outcome.n - b.outcome.n
}

async function writePart(path: string, outcomes: Placed[]): Promise<string> {
  const lines = outcomes.sort(comparePlaced).map(({ outcome }) => `${JSON.stringify(outcome)}\n`)
  await writeFile(path, lines.join(''))
  return path
}

async function* fromMemory(outcomes: Placed[]): Sorted {
  yield* outcomes
}

async function* fromFile(path: string): Sorted {
  for await (const outcome of readLog<Outcome>(path, () => undefined)) yield placed(outcome)
}

/** A tree of merges by twos: each outcome is compared as often as the tree is high. */
function merged(sources: Sorted[]): Sorted {
  const [first, second, ...others] = sources
  if (!first) return fromMemory([])
  if (!second) return first
  if (others.length === 0) return mergedTwo(first, second)
  const half = sources.length >> 1
  return mergedTwo(merged(sources.slice(0, half)), merged(sources.slice(half)))
}

async function* mergedTwo(left: Sorted, right: Sorted): Sorted {
  let [a, b] = [await left.next(), await right.next()]
  while (!a.done && !b.done) {
    if (comparePlaced(a.value, b.value) <= 0) {
      yield a.value
      a = await left.next()
    } else {
      yield b.value
      b = await right.next()
    }
  }
  for (; !a.done; a = await left.next()) yield a.value
  for (; !b.done; b = await right.next()) yield b.value
}
