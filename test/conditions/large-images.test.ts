import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, expect, test } from 'vitest'
import { SlowLine } from '../support/slow-line.ts'
import { TestCloud } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { doneWell, photoBytes, putCars, textLooks } from './support.ts'

let cloud: TestCloud
let line: SlowLine | undefined

afterEach(async () => {
  await killLeftWorkers()
  await line?.stop()
  line = undefined
  await cloud.stop()
})

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

/** Labels are quick, texts take as long as a slow hour of the service. */
async function start(textMs: number): Promise<void> {
  let isDetecting = true
  cloud = await TestCloud.start({
    visibilitySeconds: 30,
    latency: async () => {
      if (!isDetecting) await delay(textMs)
    },
  })
  detected = async () => {
    const detector = cloud.detector()
    expect(await detector.exited, detector.log).toEqual(doneWell)
    isDetecting = false
  }
}

let detected: () => Promise<void>

test('40 images of 4.9 MB while DetectText takes 8 s: each is read once', async () => {
  await start(8_000)
  const results = await putCars(cloud, 40, photoBytes)
  await detected()
  const reader = cloud.reader({}, undefined, ['--once'])
  expect(await reader.exited, reader.log).toEqual(doneWell)
  expect(await cloud.results()).toBe(results)
  expect(textLooks(cloud)).toEqual(Array(40).fill(1))
})

test('6 images of 4.9 MB over a line of 10 Mbit/s', async () => {
  await start(0)
  const results = await putCars(cloud, 6, photoBytes)
  await detected()
  line = await SlowLine.start(cloud.proxy.url, 1_250_000)
  const reader = cloud.reader({ AWS_ENDPOINT_URL: line.url }, undefined, ['--once'])
  expect(await reader.exited, reader.log).toEqual(doneWell)
  expect(await cloud.results()).toBe(results)
  expect(textLooks(cloud)).toEqual(Array(6).fill(1))
})
