import { expect, it } from 'vitest'
import { SerialQueue } from '../../src/flow/serial-queue.ts'

it('runs one task at a time, in order', async () => {
  const queue = new SerialQueue()
  const log: string[] = []
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const runs = gates.map((gate, i) =>
    queue.run(async () => {
      log.push(`start ${i}`)
      await gate.promise
      log.push(`end ${i}`)
      return i
    }),
  )
  gates[1]?.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  expect(log).toEqual(['start 0'])
  gates[0]?.resolve()
  expect(await Promise.all(runs)).toEqual([0, 1])
  expect(log).toEqual(['start 0', 'end 0', 'start 1', 'end 1'])
})

it('rejects with what a task throws, and goes on with the next', async () => {
  const queue = new SerialQueue()
  const failed = queue.run(() => Promise.reject(new Error('no')))
  const next = queue.run(async () => 'done')
  await expect(failed).rejects.toThrow('no')
  await expect(next).resolves.toBe('done')
})
