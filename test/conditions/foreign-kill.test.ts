import { setTimeout as delay } from 'node:timers/promises'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, describe, expect, test } from 'vitest'
import type { FaultRule } from '../support/fault-proxy.ts'
import { TestCloud } from '../support/test-cloud.ts'
import { killLeftWorkers, type WorkerProcess } from '../support/worker-process.ts'
import { doneWell, putCars, readerRuns } from './support.ts'

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

/** SQS's default: the messages of a killed reader are not seen for so long. */
const visibilitySeconds = 30
const images = 12

/** Another implementation's run: plain keys, and its "-1" has overtaken all but a few of them. */
async function sendForeignRun(cloud: TestCloud): Promise<string> {
  const results = await putCars(cloud, images)
  const keys = Array.from({ length: images }, (_, place) => `${place + 1}.jpg`)
  for (const MessageBody of [...keys.slice(0, 2), '-1', ...keys.slice(2)]) {
    await cloud.sqs.send(new SendMessageCommand({ QueueUrl: cloud.queueUrl, MessageBody }))
  }
  return results
}

async function inCloud(latencyMs: number, work: (cloud: TestCloud) => Promise<void>): Promise<void> {
  const cloud = await TestCloud.start({ visibilitySeconds, latency: () => delay(latencyMs) })
  try {
    await work(cloud)
  } finally {
    await cloud.stop()
  }
}

/** With --once the reader ends with the first result that is published: there is one, it is the whole, nothing is left. */
async function expectOneResult(cloud: TestCloud, reader: WorkerProcess, results: string): Promise<void> {
  expect(await reader.exited, reader.log).toEqual(doneWell)
  expect(await cloud.results()).toBe(results)
  await cloud.drained()
  // What comes late must open no other run.
  const late = cloud.reader()
  await cloud.proxy.arrivals(3, ({ operation }) => operation === 'ReceiveMessage')
  expect(await late.stop()).toEqual(doneWell)
  expect(readerRuns(cloud)).toEqual(['complete'])
  expect(await cloud.results()).toBe(results)
}

describe.concurrent("another implementation's messages, the queue's default visibility timeout", () => {
  test.each([1, 4, 12])('kill -9 when DetectText was asked for %i images: one exact result', (asked) =>
    inCloud(3_000, async (cloud) => {
      const results = await sendForeignRun(cloud)
      const inHand = cloud.proxy.arrivals(asked, ({ operation }) => operation === 'DetectText')
      const killed = cloud.reader()
      await inHand
      await killed.kill()
      await expectOneResult(cloud, cloud.reader({}, undefined, ['--once']), results)
    }),
  )

  test('kill -9 twice, of which the second meets what the first has left', () =>
    inCloud(2_000, async (cloud) => {
      const results = await sendForeignRun(cloud)
      for (const asked of [3, 5]) {
        const inHand = cloud.proxy.arrivals(asked, ({ operation }) => operation === 'DetectText')
        const killed = cloud.reader()
        await inHand
        await killed.kill()
      }
      await expectOneResult(cloud, cloud.reader({}, undefined, ['--once']), results)
    }))

  test.each<[string, FaultRule['fault']]>([
    ['is lost', { kind: 'reset', when: 'after' }],
    ['ends in the middle', { kind: 'cut' }],
  ])('the answer of a receive that took messages along %s', (_, fault) =>
    inCloud(0, async (cloud) => {
      const results = await sendForeignRun(cloud)
      const end = cloud.proxy.add({ operations: ['ReceiveMessage'], fault })
      const unwatch = cloud.proxy.onSeen((seen) => {
        if (seen.operation === 'ReceiveMessage' && seen.fault) end()
      })
      await expectOneResult(cloud, cloud.reader({}, undefined, ['--once']), results)
      unwatch()
    }),
  )
})
