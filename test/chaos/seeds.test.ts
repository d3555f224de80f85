import { afterAll, describe, expect, it } from 'vitest'
import { killLeftWorkers } from '../support/worker-process.ts'
import { chaosRun, expectExact } from './chaos-run.ts'
import { planOf } from './plan.ts'

/** A few of the long suite's runs (`npm run test:chaos`), with all its kinds of faults among them. */
const seeds = [2, 3, 5]

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

describe('both workers, killed and on a bad network', () => {
  it.concurrent.each(seeds)('come to the exact result, seed %i', async (seed) => {
    expectExact(await chaosRun(planOf(seed)))
  })
})
