import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { FailedImage } from '../../src/protocol/messages.ts'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { doneRun, recordedRuns } from '../chaos/recorded.ts'
import { simulatedImage } from '../support/simulated-vision.ts'
import { TestCloud, type TestCloudOptions } from '../support/test-cloud.ts'
import type { Exit } from '../support/worker-process.ts'

export const doneWell: Exit = { code: 0, signal: null }
/** As large as photographs of a phone. */
export const photoBytes = 4_900_000

/**
 * Runs a test in a cloud of its own, with SQS's default visibility timeout: so tests can run side by side, which mostly
 * wait. What they leave running is killed at the end of the file.
 */
export async function inCloud(
  work: (cloud: TestCloud) => Promise<void>,
  options: TestCloudOptions = {},
): Promise<void> {
  const cloud = await TestCloud.start({ visibilitySeconds: 30, ...options })
  try {
    await work(cloud)
  } finally {
    await cloud.stop()
  }
}

/** Puts so many images with a car and a text each. @returns what results.txt must be */
export async function putCars(cloud: TestCloud, count: number, bytes = 0, prefix = ''): Promise<string> {
  let results = ''
  for (let n = 1; n <= count; n++) {
    const key = `${prefix}${n}.jpg`
    const sight = { id: key, objects: [{ name: 'Car', confidence: 99 }], lines: [`T ${n}`] }
    await cloud.put(key, simulatedImage(sight, bytes))
    results += `${key}: T ${n}\n`
  }
  return results
}

/** Both workers at once, to the end. @returns their logs */
export async function runBoth(
  cloud: TestCloud,
  environment: { detector?: Record<string, string>; reader?: Record<string, string> } = {},
): Promise<{ detector: string; reader: string }> {
  const reader = cloud.reader(environment.reader, undefined, ['--once'])
  const detector = cloud.detector(environment.detector)
  const detectorExit = await detector.exited
  expect(detectorExit, detector.log).toEqual(doneWell)
  const readerExit = await reader.exited
  expect(readerExit, reader.log).toEqual(doneWell)
  return { detector: detector.log, reader: reader.log }
}

/** DetectText's looks at images, of each one. */
export function textLooks(cloud: TestCloud): number[] {
  return [...cloud.vision.looks].filter(([name]) => name.startsWith('text ')).map(([, count]) => count)
}

/** A fault that lasts for so long from now on. */
export async function healAfter(ms: number, heal: () => void): Promise<void> {
  await delay(ms)
  heal()
}

/** The failures that results.json of the detector's run names, of each worker, in order of their keys. */
export async function recordedFailures(
  cloud: TestCloud,
): Promise<{ detector: FailedImage[]; reader: FailedImage[] }> {
  const path = join(cloud.readerState, 'runs', doneRun(cloud.detectorState) ?? '', 'results.json')
  const json: { detectorFailures: FailedImage[]; outcomes: Outcome[] } = JSON.parse(
    await readFile(path, 'utf8'),
  )
  const reader = json.outcomes.flatMap((outcome) =>
    outcome.outcome === 'failed' ? [{ key: outcome.key, reason: outcome.reason }] : [],
  )
  return { detector: sorted(json.detectorFailures), reader: sorted(reader) }
}

/** As the keys are compared by SQLite. */
function sorted(failures: FailedImage[]): FailedImage[] {
  return failures.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

/** The states of the reader's runs, in the order in which they were opened. */
export function readerRuns(cloud: TestCloud): string[] {
  return recordedRuns(cloud.readerState).map(({ state }) => state)
}
