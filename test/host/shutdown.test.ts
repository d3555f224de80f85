import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { ShutdownError, TimeoutError, withDeadline } from '../../src/host/shutdown.ts'

const hour = 3_600_000
const never = () => new Promise<never>(() => undefined)

/** Ends with an error of its own when its signal aborts, as requests do. */
function heeding(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('AbortError'))))
}

describe('work with a deadline', () => {
  test('passes its result and its own error on', async () => {
    const parent = new AbortController().signal
    expect(await withDeadline(hour, parent, async () => 7)).toBe(7)
    const failing = withDeadline(hour, parent, () => Promise.reject(new Error('refused')))
    await expect(failing).rejects.toThrow('refused')
    expect(getEventListeners(parent, 'abort')).toHaveLength(0)
  })

  test.each([
    ['heeds its signal', heeding],
    ['does not', never],
  ])('ends with a TimeoutError when it %s', async (_name, work) => {
    const parent = new AbortController().signal
    await expect(withDeadline(1, parent, work)).rejects.toThrow(new TimeoutError('no result within 0 s'))
    expect(getEventListeners(parent, 'abort')).toHaveLength(0)
  })

  test.each([
    ['heeds its signal', heeding],
    ['does not', never],
  ])('ends with a ShutdownError when its parent aborts and it %s', async (_name, work) => {
    const parent = new AbortController()
    const running = withDeadline(hour, parent.signal, work)
    parent.abort()
    await expect(running).rejects.toThrow(ShutdownError)
    await expect(withDeadline(hour, parent.signal, work)).rejects.toThrow(ShutdownError)
  })
})
