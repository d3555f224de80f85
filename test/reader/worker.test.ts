import { setImmediate as turn } from 'node:timers/promises'
import type { Message } from '@aws-sdk/client-sqs'
import { beforeEach, expect, it, vi } from 'vitest'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { TaskPool } from '../../src/flow/task-pool.ts'
import { ReaderWorker, type ReaderWorkerParts } from '../../src/reader/worker.ts'

const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
let graceful: AbortController
/** What SQS answers, one after the other; then it is silent until the test ends. */
let answers: { messages: Message[]; confirmed: boolean }[]
let receives: number
/** The writes that are not on the disk yet. */
let writes: PromiseWithResolvers<void>[]
const idleRuns = { disturbed: vi.fn(), check: vi.fn() }
const handler = { isEnd: () => false, handle: vi.fn(async () => {}) }

beforeEach(() => {
  vi.clearAllMocks()
  graceful = new AbortController()
  answers = []
  writes = []
  receives = 0
})

async function receive() {
  receives++
  const answer = answers.shift()
  if (!answer) graceful.abort()
  return answer ?? { messages: [], confirmed: true }
}

function createWorker(commit: () => Promise<unknown>): ReaderWorker {
  const never = Number.POSITIVE_INFINITY
  const policy = { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never }
  const parts = {
    database: { commit },
    queue: { url: 'queue', receive },
    pool: new TaskPool(() => 10),
    held: { add: () => {}, release: async () => {} },
    handler,
    coordinator: { throwIfFailed: () => {}, finish: async () => {} },
    foreign: undefined,
    idleRuns,
    visibilitySeconds: 30,
    waitSeconds: 0,
    manager: { alive: () => {}, ready: () => {} },
    shutdown: { graceful: graceful.signal, forced: graceful.signal, request: () => graceful.abort() },
    retry: { outages: new OutageLog(log), signal: graceful.signal, policy },
  }
  return new ReaderWorker(parts as unknown as ReaderWorkerParts)
}

async function turns(): Promise<void> {
  for (let times = 0; times < 50; times++) await turn()
}

it('takes no message while what it has written waits for a full disk', async () => {
  const commit = () => {
    const write = Promise.withResolvers<void>()
    writes.push(write)
    return write.promise
  }
  answers = [{ messages: [{ MessageId: '1' }], confirmed: true }]
  const running = createWorker(commit).run()
  await turns()
  expect([receives, handler.handle.mock.calls.length]).toEqual([1, 1])
  writes[0]?.resolve()
  await turns()
  expect(receives).toBe(2)
  writes[1]?.resolve()
  await running
})

it('ends with the error of a write that fails', async () => {
  answers = Array.from({ length: 5 }, () => ({ messages: [], confirmed: true }))
  const worker = createWorker(() => Promise.reject(new RangeError('the database fails')))
  await expect(worker.run()).rejects.toThrow('the database fails')
})

it('measures silence over confirmed empty receives only', async () => {
  answers = [
    { messages: [{ MessageId: '1' }], confirmed: true },
    { messages: [], confirmed: false },
    { messages: [], confirmed: true },
  ]
  await createWorker(async () => {}).run()
  const order = [...idleRuns.disturbed.mock.invocationCallOrder].map((at) => [at, 'disturbed'] as const)
  const checks = [...idleRuns.check.mock.invocationCallOrder].map((at) => [at, 'check'] as const)
  const calls = [...order, ...checks].toSorted(([a], [b]) => a - b).map(([, name]) => name)
  expect(calls.slice(0, 2)).toEqual(['disturbed', 'disturbed'])
  expect(calls.at(-1)).toBe('check')
})
