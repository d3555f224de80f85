import { afterAll, describe, expect, it } from 'vitest'
import { killLeftWorkers } from '../../support/worker-process.ts'
import { readersPlanOf, readersRun } from './readers-run.ts'

/** CHAOS_SEED=n runs that one again; CHAOS_SEEDS=n runs so many. Default 12. */
const one = Number(process.env.CHAOS_SEED ?? 0)
const count = Number(process.env.CHAOS_SEEDS ?? 12)
const seeds = one > 0 ? [one] : Array.from({ length: count }, (_, place) => place + 1)

const passed: number[] = []
const calls = { needed: 0, extra: 0 }

afterAll(async () => {
  console.log(
    `${passed.length} of ${seeds.length} seeds passed; of Rekognition's calls ${calls.needed} were needed, ` +
      `${calls.extra} more were made`,
  )
  expect(await killLeftWorkers()).toBe(0)
})

describe('three readers, killed, stopped and paused for longer than the visibility timeout', () => {
  it.concurrent.each(seeds)('have the exact result on each disk, seed %i', async (seed) => {
    const { truth, shown, ofRuns, needed, extra } = await readersRun(readersPlanOf(seed))
    calls.needed += needed
    calls.extra += extra
    expect(shown).toEqual([truth, truth, truth])
    expect(new Set(ofRuns)).toEqual(new Set([truth]))
    passed.push(seed)
  })
})
