import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { ByteSemaphore } from '../../src/flow/byte-semaphore.ts'
import { ShutdownError, TimeoutError } from '../../src/host/shutdown.ts'

const never = new AbortController().signal

/** Records in `granted` when the request is granted. */
function request(semaphore: ByteSemaphore, bytes: number, granted: number[], signal = never) {
  const grant = semaphore.acquire(bytes, signal)
  void grant.then(
    () => granted.push(bytes),
    () => undefined,
  )
  return grant
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

describe('granting', () => {
  it('never exceeds the capacity, and is first come, first served', async () => {
    const semaphore = new ByteSemaphore(100)
    const granted: number[] = []
    const releaseFirst = await request(semaphore, 60, granted)
    const second = request(semaphore, 50, granted)
    void request(semaphore, 11, granted)
    await settled()
    // 11 bytes would fit, but not ahead of the 50.
    expect(granted).toEqual([60])
    releaseFirst()
    await settled()
    expect(granted).toEqual([60, 50, 11])
    void request(semaphore, 40, granted)
    await settled()
    expect(granted).toEqual([60, 50, 11])
    ;(await second)()
    await settled()
    expect(granted).toEqual([60, 50, 11, 40])
  })

  it('counts a request above the capacity as the capacity', async () => {
    const semaphore = new ByteSemaphore(100)
    const granted: number[] = []
    const release = await request(semaphore, 5000, granted)
    void request(semaphore, 1, granted)
    await settled()
    expect(granted).toEqual([5000])
    release()
    void request(semaphore, 99, granted)
    await settled()
    expect(granted).toEqual([5000, 1, 99])
  })

  it('releases once, however often it is asked to', async () => {
    const semaphore = new ByteSemaphore(100)
    const granted: number[] = []
    const release = await request(semaphore, 50, granted)
    await request(semaphore, 50, granted)
    release()
    release()
    void request(semaphore, 60, granted)
    await settled()
    expect(granted).toEqual([50, 50])
  })
})

describe('aborting', () => {
  it.each([
    { reason: new ShutdownError(), expected: ShutdownError },
    { reason: undefined, expected: ShutdownError },
    { reason: new TimeoutError('too late'), expected: TimeoutError },
  ])('rejects what waits and what comes later: $reason', async ({ reason, expected }) => {
    const semaphore = new ByteSemaphore(100)
    await semaphore.acquire(100, never)
    const controller = new AbortController()
    const waiting = semaphore.acquire(1, controller.signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBeInstanceOf(expected)
    await expect(semaphore.acquire(1, controller.signal)).rejects.toBeInstanceOf(expected)
  })

  it('takes nothing, and lets those through that waited behind', async () => {
    const semaphore = new ByteSemaphore(100)
    const granted: number[] = []
    await request(semaphore, 50, granted)
    const controller = new AbortController()
    const large = request(semaphore, 100, granted, controller.signal)
    void request(semaphore, 50, granted)
    await settled()
    expect(granted).toEqual([50])
    controller.abort()
    await expect(large).rejects.toThrow()
    await settled()
    expect(granted).toEqual([50, 50])
  })

  it('leaves no listener on the signal, whether granted or aborted', async () => {
    const semaphore = new ByteSemaphore(100)
    const { signal } = new AbortController()
    for (let i = 0; i < 5; i++) (await semaphore.acquire(10, signal))()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
    const release = await semaphore.acquire(100, signal)
    const waiting = semaphore.acquire(10, signal)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    release()
    await waiting
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})
