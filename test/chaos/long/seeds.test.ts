import { afterAll, describe, expect, it } from 'vitest'
import { killLeftWorkers } from '../../support/worker-process.ts'
import { chaosRun, expectExact } from '../chaos-run.ts'
import { planOf } from '../plan.ts'

/**
 * A hundred runs, each made by its seed alone. CHAOS_SEED=n runs that one again; CHAOS_SEEDS=n runs so many.
 * With the same seed the same faults meet the same requests, but which requests are under way at a kill is the
 * machine's business.
 */
const one = Number(process.env.CHAOS_SEED ?? 0)
const count = Number(process.env.CHAOS_SEEDS ?? 100)
const seeds = one > 0 ? [one] : Array.from({ length: count }, (_, place) => place + 1)

const passed: number[] = []
const calls = { needed: 0, extra: 0, maxInFlight: 0 }

afterAll(async () => {
  const { needed, extra, maxInFlight } = calls
  console.log(
    `${passed.length} of ${seeds.length} seeds passed; of Rekognition's calls ${needed} were needed and ${extra} ` +
      `more were made, each for an answer that was lost; at most ${maxInFlight} were in flight at a kill`,
  )
  expect(await killLeftWorkers()).toBe(0)
})

describe('both workers, killed and on a bad network', () => {
  it.concurrent.each(seeds)('come to the exact result, seed %i', async (seed) => {
    const outcome = await chaosRun(planOf(seed))
    calls.needed += outcome.needed
    calls.extra += outcome.extra
    calls.maxInFlight = Math.max(calls.maxInFlight, outcome.maxInFlight)
    expectExact(outcome)
    passed.push(seed)
  })
})
