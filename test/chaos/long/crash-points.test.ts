import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'
import { killLeftWorkers } from '../../support/worker-process.ts'
import { CrashPoints, eachStep } from '../crash-points.ts'

/**
 * Each worker is killed once at every step that it takes: before and after each request, write, sync and
 * rename. The steps are those of a run that nobody kills, written down as it takes them.
 */
let points: CrashPoints

beforeEach(async () => {
  points = await CrashPoints.start()
})

afterEach(async () => {
  await killLeftWorkers()
  await points.stop()
})

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

it.each(['detect', 'read'] as const)(
  'a worker (%s) may be killed at any of its steps',
  async (worker) => {
    const steps = await points.stepsOf((name, orders) => points[worker](name, orders))
    const missed = await eachStep(steps, (name, step) => points[worker](name, { CRASH_AT: step }))
    console.log(`${worker}: killed at ${steps.length - missed.length} steps of ${steps.length}`)
    // Which requests travel together differs from run to run, and with it how often a step is taken; each kind is.
    const killedAt = new Set(steps.filter((step) => !missed.includes(step)).map(kindOf))
    expect(steps.map(kindOf).filter((kind) => !killedAt.has(kind))).toEqual([])
  },
  1_200_000,
)

/** The step without its number. */
function kindOf(step: string): string {
  return step.replace(/ \d+$/, '')
}
