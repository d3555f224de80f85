import { afterAll, expect, it } from 'vitest'
import { killLeftWorkers } from '../../support/worker-process.ts'
import { chaosRun, expectExact } from '../chaos-run.ts'
import { independentPlan } from '../plan.ts'

/** Of each call that is needed, so many may be made in all. */
const mostCallsPerNeeded = 1.25

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

it.each([1, 2, 3])(
  '400 images come out exactly and cost little more than one call each, seed %i',
  async (seed) => {
    const outcome = await chaosRun(independentPlan(seed))
    const { needed, extra, requests } = outcome
    const share = (calls: number) => (calls / needed).toFixed(3)
    console.log(
      `seed ${seed}: ${needed} calls needed; per needed call ${share(needed + extra)} were looked at, ` +
        `${share(requests)} were sent, those that were throttled, refused or broken among them`,
    )
    expectExact(outcome)
    expect((needed + extra) / needed).toBeLessThanOrEqual(mostCallsPerNeeded)
  },
  600_000,
)
