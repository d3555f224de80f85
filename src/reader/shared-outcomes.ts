import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDurableFolder } from '../daemon/append-log.ts'
import { WorkInHand } from '../daemon/work-in-hand.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import type { SharedStore } from './shared-store.ts'
import { sortedOutcomes } from './sorted-outcomes.ts'

const fetchesAtOnce = 32

/** A run's outcomes, brought from the store to a file of their own. */
export interface GatheredOutcomes {
  readonly texts: number
  readonly failures: number
  /** when the last of them was recorded, ms since 1970 */
  readonly newestAt: number
  /** in natural order of their indexes */
  sorted(): AsyncGenerator<Outcome>
  remove(): Promise<void>
}

/** Fetches the outcomes 1 … count, many at a time, and holds none of them in memory. */
export async function gatherOutcomes(
  store: SharedStore,
  run: string,
  count: number,
  folder: string,
): Promise<GatheredOutcomes> {
  await makeDurableFolder(folder)
  const path = join(folder, 'gathered.tmp')
  const file = await open(path, 'w')
  const hand = new WorkInHand(() => fetchesAtOnce)
  let texts = 0
  let failures = 0
  let newestAt = 0
  try {
    for (let n = 1; n <= count; n++) {
      await hand.room()
      hand.start(async () => {
        const outcome = await store.outcome(run, n)
        if (outcome.outcome === 'text') texts++
        if (outcome.outcome === 'failed') failures++
        newestAt = Math.max(newestAt, outcome.at)
        await file.appendFile(`${JSON.stringify(outcome)}\n`)
      })
    }
    await hand.finished()
  } finally {
    await hand.finished().catch(() => undefined)
    await file.close()
  }
  return {
    texts,
    failures,
    newestAt,
    sorted: () => sortedOutcomes(path, count, folder),
    remove: () => rm(path, { force: true }),
  }
}
