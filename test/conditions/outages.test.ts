import { afterAll, describe, expect, test } from 'vitest'
import { detectorFailures } from '../chaos/recorded.ts'
import type { FaultRule } from '../support/fault-proxy.ts'
import { lookOf } from '../support/simulated-vision.ts'
import type { TestCloud } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { healAfter, inCloud, putCars, recordedFailures, runBoth } from './support.ts'

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

/** Both workers while a fault lasts, and after it. */
async function throughFault(cloud: TestCloud, rules: FaultRule[], ms: number, images: number) {
  const results = await putCars(cloud, images)
  const ends = rules.map((rule) => cloud.proxy.add(rule))
  const healed = healAfter(ms, () => {
    for (const end of ends) end()
  })
  const logs = await runBoth(cloud)
  await healed
  expect(await cloud.results()).toBe(results)
  expect(await recordedFailures(cloud)).toEqual({ detector: [], reader: [] })
  return logs
}

describe.concurrent('silence for 100 s, longer than every timeout', () => {
  const silence: [string, FaultRule, 'detector' | 'reader'][] = [
    ['GetObject', { operations: ['GetObject'], fault: { kind: 'stall' } }, 'reader'],
    ['ReceiveMessage', { operations: ['ReceiveMessage'], fault: { kind: 'wait', until: never() } }, 'reader'],
    ['Rekognition', { service: 'rekognition', fault: { kind: 'stall' } }, 'detector'],
    ['SendMessageBatch', { operations: ['SendMessageBatch'], fault: { kind: 'stall' } }, 'detector'],
  ]

  test.each(silence)('%s: a warning, then the exact result', (_, rule, worker) =>
    inCloud(async (cloud) => {
      const logs = await throughFault(cloud, [rule], 100_000, 5)
      expect(logs[worker]).toMatch(/WARN .*(no answer|no result|timed out|silent)/)
      expect(logs[worker]).toMatch(/recovered after/)
    }),
  )
})

describe.concurrent('something that is not AWS answers for 20 s', () => {
  const operations = ['DetectLabels', 'DetectText', 'GetObject', 'ListObjectsV2', 'GetQueueUrl']
  const more = ['ReceiveMessage', 'SendMessageBatch', 'DeleteMessageBatch', 'HeadBucket']
  const cases = [...operations, ...more].flatMap((operation) =>
    [200, 403, 404, 502].map((status) => [operation, status] as const),
  )

  test.each(cases)('%s with a page, status %i', (operation, status) =>
    inCloud(async (cloud) => {
      const rule: FaultRule = { operations: [operation], fault: { kind: 'html', status } }
      const logs = await throughFault(cloud, [rule], 20_000, 4)
      expect(logs.reader + logs.detector).not.toMatch(/could not be (read|analysed)/)
      expect(logs.reader + logs.detector).not.toMatch(/UnknownError|hidden field/)
    }),
  )
})

describe.concurrent('a share of all calls of Rekognition fails', () => {
  test.each([0.3, 0.5, 0.8])('%d of them for a minute: no image is blamed', (share) =>
    inCloud(async (cloud) => {
      const rule: FaultRule = { service: 'rekognition', share, fault: { kind: 'refuse', refusal: 'broken' } }
      await throughFault(cloud, [rule], 60_000, 200)
    }),
  )

  test('half of them for two minutes, and one image for ever: that one fails, with its reason', () =>
    inCloud(async (cloud) => {
      const results = await putCars(cloud, 200)
      const end = cloud.proxy.add({
        service: 'rekognition',
        share: 0.5,
        fault: { kind: 'refuse', refusal: 'broken' },
      })
      cloud.proxy.add({
        when: (request) => lookOf(request) === 'objects 7.jpg',
        fault: { kind: 'refuse', refusal: 'broken' },
      })
      const healed = healAfter(120_000, end)
      await runBoth(cloud)
      await healed
      expect(await cloud.results()).toBe(results.replace('7.jpg: T 7\n', ''))
      expect(detectorFailures(cloud.detectorState)).toEqual([
        { key: '7.jpg', reason: expect.stringMatching(/DetectLabels.*500/) },
      ])
    }))
})

function never(): Promise<unknown> {
  return new Promise(() => undefined)
}
