import { setTimeout as delay } from 'node:timers/promises'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterAll, describe, expect, test } from 'vitest'
import type { FaultRule } from '../support/fault-proxy.ts'
import type { TestCloud, TestCloudOptions } from '../support/test-cloud.ts'
import { killLeftWorkers, type WorkerProcess } from '../support/worker-process.ts'
import { doneWell, inCloud, putCars, readerRuns } from './support.ts'

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

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

/** Looks take so long. */
function slow(latencyMs: number): TestCloudOptions {
  return { latency: () => delay(latencyMs) }
}

/** With --once the reader ends with the first result that is published: there is one, it is the whole, nothing is left. */
async function expectOneResult(cloud: TestCloud, reader: WorkerProcess, results: string): Promise<void> {
  expect(await reader.exited, reader.log).toEqual(doneWell)
  expect(await cloud.results()).toBe(results)
  await cloud.drained()
  // What comes late must open no other run.
  const late = cloud.reader()
  const polls = cloud.proxy.arrivals(3, ({ operation }) => operation === 'ReceiveMessage')
  await Promise.race([polls, late.exited])
  expect(late.exit, late.log).toBeUndefined()
  expect(await late.stop()).toEqual(doneWell)
  expect(readerRuns(cloud)).toEqual(['complete'])
  expect(await cloud.results()).toBe(results)
}

describe.concurrent("another implementation's messages, the queue's default visibility timeout", () => {
  test.each([1, 4, 12])('kill -9 when DetectText was asked for %i images: one exact result', (asked) =>
    inCloud(async (cloud) => {
      const results = await sendForeignRun(cloud)
      const inFlight = cloud.proxy.arrivals(asked, ({ operation }) => operation === 'DetectText')
      const killed = cloud.reader()
      await inFlight
      await killed.kill()
      await expectOneResult(cloud, cloud.reader({}, undefined, ['--once']), results)
    }, slow(3_000)),
  )

  test('kill -9 twice, of which the second meets what the first has left', () =>
    inCloud(async (cloud) => {
      const results = await sendForeignRun(cloud)
      for (const asked of [3, 5]) {
        const inFlight = cloud.proxy.arrivals(asked, ({ operation }) => operation === 'DetectText')
        const killed = cloud.reader()
        await inFlight
        await killed.kill()
      }
      await expectOneResult(cloud, cloud.reader({}, undefined, ['--once']), results)
    }, slow(2_000)))

  test.each<[string, FaultRule['fault']]>([
    ['is lost', { kind: 'reset', when: 'after' }],
    ['ends in the middle', { kind: 'cut' }],
  ])('the answer of a receive that took messages along %s', (_, fault) =>
    inCloud(async (cloud) => {
      const results = await sendForeignRun(cloud)
      // The first receive has "-1"; the second one takes the rest along.
      let end: (() => void) | undefined
      const unwatch = cloud.proxy.onSeen((seen) => {
        if (seen.operation !== 'ReceiveMessage') return
        if (seen.fault) end?.()
        else end ??= cloud.proxy.add({ operations: ['ReceiveMessage'], fault })
      })
      await expectOneResult(cloud, cloud.reader({}, undefined, ['--once']), results)
      unwatch()
    }),
  )
})
