import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { Random } from '../support/random.ts'
import { TestCloud, until } from '../support/test-cloud.ts'
import { Accounts, type Balance } from './accounts.ts'
import { type Driven, Driver } from './driver.ts'
import { type Plan, type PlannedImage, visibilitySeconds } from './plan.ts'
import { isDone } from './recorded.ts'

const patienceMilliseconds = 280_000

/** How a run under chaos came out. */
export interface Outcome extends Balance {
  readonly results: string | undefined
  readonly truth: string
}

/** Runs both workers through what the plan has for them, to the end; then nothing is left in the queue. */
export async function chaosRun(plan: Plan): Promise<Outcome> {
  const { seed, isFifo, maxRequestsPerSecond, faults } = plan
  const dice = new Random('latency', seed)
  const latency = () => delay(dice.between(0, plan.mostLatency))
  const cloud = await TestCloud.start({
    seed,
    visibilitySeconds,
    isFifo,
    maxRequestsPerSecond,
    latency,
    faults,
  })
  try {
    await Promise.all(plan.images.map(({ key, bytes }) => cloud.put(key, bytes)))
    const accounts = new Accounts(cloud)
    await workThrough(plan, cloud, accounts)
    const results = await cloud.results()
    return { results, truth: truthOf(plan.images), ...accounts.balance() }
  } finally {
    await cloud.stop()
  }
}

async function workThrough(plan: Plan, cloud: TestCloud, accounts: Accounts): Promise<void> {
  const makeDetector = () => new Driver(cloud, accounts, detectorOf(cloud))
  const early = plan.readerStartsFirst ? undefined : makeDetector()
  const reader = new Driver(cloud, accounts, readerOf(cloud))
  const detector = early ?? makeDetector()
  const end = new AbortController()
  const detected = detector.perform(plan.detectorActs, end.signal).then(() => detector.finished())
  const acted = reader.perform(plan.readerActs, end.signal)
  const failed = acted.then(() => reader.finished())
  try {
    await Promise.race([failed, allRead(cloud, detected), tooLate(cloud, end.signal)])
  } catch (error) {
    throw new Error(
      `seed ${plan.seed}: ${error instanceof Error ? error.message : error}\n${detector.log}\n=== reader\n${reader.log}`,
      { cause: error },
    )
  } finally {
    end.abort()
    await acted.catch(() => undefined)
    await Promise.all([detector.retire(), reader.retire()])
  }
}

/** Sooner than the test's own timeout, which would not say what the workers said. */
async function tooLate(cloud: TestCloud, end: AbortSignal): Promise<void> {
  await delay(patienceMilliseconds, undefined, { signal: end }).catch(() => undefined)
  if (!end.aborted) throw new Error(`not over; messages: ${JSON.stringify(await cloud.messages())}`)
}

async function allRead(cloud: TestCloud, detected: Promise<void>): Promise<void> {
  await detected
  await until(async () => (await cloud.results()) !== undefined)
  await cloud.drained()
}

function detectorOf(cloud: TestCloud): Driven {
  const stateDir = cloud.detectorState
  const start = (accessKey: string) => cloud.detector({ AWS_ACCESS_KEY_ID: accessKey })
  return { role: 'detector', stateDir, start, isOver: async () => isDone(stateDir) }
}

function readerOf(cloud: TestCloud): Driven {
  const start = (accessKey: string) => cloud.reader({ AWS_ACCESS_KEY_ID: accessKey })
  return { role: 'reader', stateDir: cloud.readerState, start, isOver: async () => false }
}

/** What results.txt must be, by the images' bytes alone. */
export function truthOf(images: readonly PlannedImage[]): string {
  const natural = new Intl.Collator('en', { numeric: true })
  const lines = images.flatMap(({ key, sight }) => {
    const isCar = sight?.objects.some(({ name, confidence }) => name === 'Car' && confidence > 90)
    return isCar && sight && sight.lines.length > 0 ? [[key, sight.lines.join(' | ')] as const] : []
  })
  return lines
    .sort(([a], [b]) => natural.compare(a, b))
    .map(([key, text]) => `${key}: ${text}\n`)
    .join('')
}

/** Exactly the truth, and no call of Rekognition that was not needed or excused. */
export function expectExact({ results, truth, unexcused }: Outcome): void {
  expect(results).toBe(truth)
  expect(unexcused).toEqual([])
}
