import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { watchLoopSaturation } from '../../src/host/loop-load.ts'

function compute(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('a loop that only computes is saturated, one that waits is not', async () => {
  const isSaturated = watchLoopSaturation()
  const busy = async () => {
    for (let turn = 0; turn < 20; turn++) {
      compute(20)
      await delay(0)
    }
    return isSaturated()
  }
  expect(isSaturated()).toBe(false)
  await expect.poll(busy).toBe(true)
  await expect.poll(() => delay(150).then(isSaturated)).toBe(false)
})
