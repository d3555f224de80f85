import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { Progress, type ProgressParts } from '../../src/reader/progress.ts'

const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
const onError = vi.fn()

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  vi.clearAllMocks()
})

afterEach(() => {
  vi.useRealTimers()
})

function start(parts: { open?: () => []; commit?: () => Promise<void> }): Progress {
  const { open = () => [], commit = async () => {} } = parts
  const all = {
    log,
    manager: { status: () => {} },
    outages: new OutageLog(log),
    clients: { calls: { counts: {}, oldestPending: () => undefined } },
    database: { commit },
    runs: { open },
    coordinator: { current: undefined },
    calls: { count: () => {} },
    tally: { take: () => ({ throttled: 0, failed: 0 }) },
    onError,
  }
  return new Progress(all as unknown as ProgressParts)
}

const failure = new Error('the database fails')

it.each([
  {
    what: 'reading',
    parts: {
      open: () => {
        throw failure
      },
    },
  },
  { what: 'writing', parts: { commit: () => Promise.reject(failure) } },
])('hands on an error of $what the database', async ({ parts }) => {
  const progress = start(parts)
  await vi.advanceTimersByTimeAsync(1000)
  progress.end()
  expect(onError).toHaveBeenCalledWith(failure)
})
