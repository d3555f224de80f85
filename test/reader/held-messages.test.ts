import type { Message } from '@aws-sdk/client-sqs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Queue, RejectedEntry } from '../../src/aws/sqs.ts'
import { Failure } from '../../src/flow/failure.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import { HeldMessages } from '../../src/reader/held-messages.ts'
import { Random } from '../support/random.ts'

vi.mock('node:timers/promises', () => import('../flow/timers-promises.ts'))

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const visibilitySeconds = 30
const second = 1_000
const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const message = (n: number): Message => ({ MessageId: `m${n}`, ReceiptHandle: `handle ${n}` })
const unavailable = () => new Failure('transient', 'ChangeMessageVisibilityBatch', 'HTTP status 503')
const rejected = (index: number, isSenderFault: boolean): RejectedEntry => ({
  index,
  isSenderFault,
  code: isSenderFault ? 'ReceiptHandleIsInvalid' : 'InternalError',
  reason: 'SQS says no',
})

interface VisibilityChange {
  readonly handles: readonly string[]
  readonly seconds: number
}

/** A queue that keeps each message invisible for as long as it was told to. */
class TestQueue {
  readonly url = 'https://sqs/queue'
  readonly changes: VisibilityChange[] = []
  readonly deletes: (readonly string[])[] = []
  readonly visibleAt = new Map<string, number>()
  latencyMs = () => 0
  onChange: (change: VisibilityChange) => RejectedEntry[] = () => []
  onDelete: (handles: readonly string[]) => RejectedEntry[] = () => []

  async changeVisibilityBatch(handles: readonly string[], seconds: number): Promise<RejectedEntry[]> {
    const change = { handles: [...handles], seconds }
    this.changes.push(change)
    await this.#latency()
    const entries = this.onChange(change)
    const failed = new Set(entries.map(({ index }) => index))
    for (const [index, handle] of handles.entries())
      if (!failed.has(index)) this.visibleAt.set(handle, performance.now() + seconds * second)
    return entries
  }

  async deleteBatch(handles: readonly string[]): Promise<RejectedEntry[]> {
    this.deletes.push([...handles])
    await this.#latency()
    return this.onDelete(handles)
  }

  receive(n: number): Message {
    const received = message(n)
    this.visibleAt.set(`handle ${n}`, performance.now() + visibilitySeconds * second)
    return received
  }

  async #latency(): Promise<void> {
    const ms = this.latencyMs()
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
  }
}

function create() {
  const queue = new TestQueue()
  const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
  const outages = new OutageLog(log)
  const shutdown = new AbortController()
  const never = Number.POSITIVE_INFINITY
  const policy = { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never }
  const held = new HeldMessages({
    queue: queue as unknown as Queue,
    visibilitySeconds,
    outages,
    retry: { policy, outages, signal: shutdown.signal },
  })
  const add = (...numbers: number[]) => {
    for (const n of numbers) held.add(queue.receive(n))
  }
  return { queue, held, add, outages, log, shutdown }
}

describe('the heartbeat', () => {
  it('keeps every message invisible, whenever it came and however slow the queue is', async () => {
    const { queue, held, add } = create()
    const random = new Random('heartbeat')
    queue.latencyMs = () => random.between(0, 4_000)
    const lapsed: string[] = []
    for (let n = 0; n < 600; n++) {
      if (n < 300) add(n)
      await elapse(second)
      for (const [handle, at] of queue.visibleAt) if (at <= performance.now()) lapsed.push(handle)
    }
    expect(lapsed).toEqual([])
    const released = held.release()
    await elapse(60 * second)
    await released
  })

  it('asks for ten at once, and for none that was extended lately', async () => {
    const { queue, held, add } = create()
    add(...Array.from({ length: 25 }, (_, n) => n))
    await elapse(5 * second)
    expect(queue.changes).toEqual([])
    await elapse(5 * second)
    expect(queue.changes.map(({ handles, seconds }) => [handles.length, seconds])).toEqual([
      [10, 30],
      [10, 30],
      [5, 30],
    ])
    await elapse(5 * second)
    expect(queue.changes).toHaveLength(3)
    await elapse(5 * second)
    expect(queue.changes).toHaveLength(6)
    await held.release()
  })

  it('leaves out what is deleted or no longer tracked', async () => {
    const { queue, held, add } = create()
    add(1, 2, 3)
    held.untrack(message(1))
    const deleted = held.delete(message(2))
    await elapse(10 * second)
    await deleted
    expect(queue.changes.map(({ handles }) => handles)).toEqual([['handle 3']])
    await held.release()
  })

  it('never has two rounds at once', async () => {
    const { queue, held, add } = create()
    let inFlight = 0
    let maxInFlight = 0
    queue.latencyMs = () => {
      maxInFlight = Math.max(maxInFlight, ++inFlight)
      return 12 * second
    }
    queue.onChange = () => {
      inFlight--
      return []
    }
    add(1)
    await elapse(120 * second)
    expect(queue.changes.length).toBeGreaterThan(4)
    expect(maxInFlight).toBe(1)
    const released = held.release()
    await elapse(60 * second)
    await released
  })

  it('does not take up again what is let go while it is extended', async () => {
    const { queue, held, add } = create()
    add(1)
    queue.latencyMs = () => 3 * second
    await elapse(11 * second)
    held.untrack(message(1))
    await elapse(60 * second)
    expect(queue.changes).toHaveLength(1)
    await held.release()
  })

  it('tries again soon what failed, and says so when that lasts', async () => {
    const { queue, held, add, log } = create()
    add(1)
    queue.onChange = () => {
      throw unavailable()
    }
    await elapse(20 * second)
    expect(queue.changes).toHaveLength(3)
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      'cannot extend the visibility timeout of messages (HTTP status 503); retrying',
    )
    queue.onChange = () => []
    await elapse(5 * second)
    expect(queue.visibleAt.get('handle 1')).toBe(performance.now() + 30 * second)
    await held.release()
  })

  it('tries again with the next beat what SQS did not take, and forgets what it does not know', async () => {
    const { queue, held, add } = create()
    add(1, 2, 3)
    queue.onChange = ({ handles }) =>
      handles.flatMap((handle, index) =>
        handle === 'handle 2' ? [] : [rejected(index, handle === 'handle 3')],
      )
    await elapse(15 * second)
    expect(queue.changes.map(({ handles }) => handles)).toEqual([
      ['handle 1', 'handle 2', 'handle 3'],
      ['handle 1'],
    ])
    await held.release()
  })
})

describe('a message whose outcome is durable', () => {
  it('is deleted in a batch with others, soon', async () => {
    const { queue, held, add } = create()
    add(1, 2, 3)
    const done = Promise.all([1, 2, 3].map((n) => held.delete(message(n))))
    await elapse(99)
    expect(queue.deletes).toEqual([])
    await elapse(1)
    expect(queue.deletes).toEqual([['handle 1', 'handle 2', 'handle 3']])
    await done
    await held.release()
    expect(queue.changes).toEqual([])
  })

  it('is deleted by ten at once', async () => {
    const { queue, held } = create()
    const done = Promise.all(Array.from({ length: 25 }, (_, n) => held.delete(message(n))))
    await elapse(100)
    await done
    expect(queue.deletes.map(({ length }) => length)).toEqual([10, 10, 5])
    await held.release()
  })

  it('is deleted again until SQS has done it, but not when its handle is too old', async () => {
    const { queue, held, add } = create()
    add(1, 2, 3)
    let requests = 0
    queue.onDelete = (handles) => {
      requests++
      if (requests === 1) throw unavailable()
      if (requests > 3) return []
      return handles.flatMap((handle, index) =>
        handle === 'handle 1' ? [] : [rejected(index, handle === 'handle 2')],
      )
    }
    const done = Promise.all([1, 2, 3].map((n) => held.delete(message(n))))
    await elapse(5 * second)
    await done
    expect(queue.deletes).toEqual([
      ['handle 1', 'handle 2', 'handle 3'],
      ['handle 1', 'handle 2', 'handle 3'],
      ['handle 3'],
      ['handle 3'],
    ])
    await held.release()
    expect(queue.changes).toEqual([])
  })

  it('that cannot be deleted before the shutdown is released: it comes again and is known', async () => {
    const { queue, held, add, shutdown } = create()
    add(1)
    queue.onDelete = () => {
      throw unavailable()
    }
    const deleted = held.delete(message(1)).catch((error: unknown) => error)
    await elapse(second)
    shutdown.abort()
    expect(await deleted).toBeInstanceOf(ShutdownError)
    await held.release()
    expect(queue.changes).toEqual([{ handles: ['handle 1'], seconds: 0 }])
  })
})

describe('a reader that stops', () => {
  it('makes what it holds visible at once, and ends the heartbeat', async () => {
    const { queue, held, add } = create()
    add(...Array.from({ length: 12 }, (_, n) => n))
    held.untrack(message(0))
    await held.release()
    expect(queue.changes.map(({ handles, seconds }) => [handles.length, seconds])).toEqual([
      [10, 0],
      [1, 0],
    ])
    await elapse(120 * second)
    expect(queue.changes).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lets an extension end first, which would hide the messages again', async () => {
    const { queue, held, add } = create()
    add(1)
    queue.latencyMs = () => 3 * second
    await elapse(11 * second)
    queue.latencyMs = () => 0
    const released = held.release()
    await elapse(5 * second)
    await released
    expect(queue.changes.map(({ seconds }) => seconds)).toEqual([30, 0])
    expect(queue.visibleAt.get('handle 1')).toBeLessThanOrEqual(performance.now())
  })

  it('does not mind when the queue does not answer', async () => {
    const { queue, held, add } = create()
    add(1)
    queue.onChange = () => {
      throw unavailable()
    }
    await held.release()
    expect(queue.changes).toHaveLength(1)
  })
})
