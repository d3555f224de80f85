import { describe, expect, test } from 'vitest'
import { unchangedSince } from '../../src/detector/earlier-runs.ts'
import type { RunPlan } from '../../src/detector/plan.ts'
import type { DetectorRunRow } from '../../src/state/detector-runs.ts'

const settings = {
  bucket: 'bucket',
  prefix: '',
  maxImages: 0,
  label: 'Car',
  minConfidence: 90,
  queue: 'imgpipe',
  region: 'eu-central-1',
  reuseAnswers: true,
}
const { reuseAnswers: _, ...runSettings } = settings
const rowOf = (seq: number | undefined) =>
  seq === undefined ? undefined : ({ seq, run: `run ${seq}`, settings: runSettings } as DetectorRunRow)
const same = { isSameSet: true, calls: 0 } as RunPlan

describe('nothing is new', () => {
  test.each<
    [string, Partial<typeof settings>, Partial<RunPlan>, number | undefined, number | undefined, boolean]
  >([
    ['since the run that the readers show', {}, {}, 1, 1, true],
    ['but another bucket or prefix was shown since', {}, {}, 1, 2, false],
    ['but there was no run', {}, {}, undefined, undefined, false],
    ['but other images are there', {}, { isSameSet: false }, 1, 1, false],
    ['but something is to be asked', {}, { calls: 1 }, 1, 1, false],
    ['but a setting is another one', { label: 'Truck' }, {}, 1, 1, false],
    ['but every run asks anew', { reuseAnswers: false }, {}, 1, 1, false],
  ])('%s', (_, change, plan, lastDone, lastSent, expected) => {
    const runs = { lastDone: () => rowOf(lastDone), lastSent: () => rowOf(lastSent) }
    const found = unchangedSince(runs, { ...settings, ...change }, { ...same, ...plan })
    expect(found?.run).toBe(expected ? 'run 1' : undefined)
  })
})
