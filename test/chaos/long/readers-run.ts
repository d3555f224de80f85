import { mkdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand } from '@aws-sdk/client-s3'
import type { FaultRule } from '../../support/fault-proxy.ts'
import { Random } from '../../support/random.ts'
import { TestCloud, until } from '../../support/test-cloud.ts'
import { Accounts } from '../accounts.ts'
import { truthOf } from '../chaos-run.ts'
import { Driver } from '../driver.ts'
import { type Act, badNetwork, disorder, imagesOf, type PlannedImage, visibilitySeconds } from '../plan.ts'
import { doneRun, isDone } from '../recorded.ts'

const readers = ['b1', 'b2', 'b3'] as const
const resultsBucket = 'agreed'
/** Sooner than the test's own timeout, which would not say what the workers said. */
const patienceMs = 280_000

/** One run of three readers under chaos, made by its seed alone. */
export interface ReadersPlan {
  readonly seed: number
  readonly images: readonly PlannedImage[]
  /** so many detectors send a run each, at the same time */
  readonly detectors: number
  readonly maxLatencyMs: number
  readonly faults: readonly FaultRule[]
  readonly detectorActs: readonly Act[]
  /** of each reader */
  readonly readerActs: readonly (readonly Act[])[]
}

export function readersPlanOf(seed: number): ReadersPlan {
  const random = new Random('readers', seed)
  const images = imagesOf(random, random.between(15, 50))
  return {
    seed,
    images,
    detectors: random.pick([1, 1, 2]),
    maxLatencyMs: random.pick([0, 50, 200]),
    faults: random.pick([disorder, everything])(random),
    detectorActs: actsOf(random, 'kill', random.between(0, 2)),
    readerActs: readers.map(() => actsOf(random, undefined, random.between(1, 4))),
  }
}

function everything(random: Random): FaultRule[] {
  return [...disorder(), ...badNetwork(random)]
}

/** @param kind undefined: any */
function actsOf(random: Random, kind: Act['kind'] | undefined, count: number): Act[] {
  return Array.from({ length: count }, () => ({
    kind: kind ?? random.pick(['kill', 'kill', 'stop', 'pause']),
    afterRequests: random.between(1, 40),
    milliseconds: (visibilitySeconds + 1) * 1000,
  }))
}

export interface ReadersOutcome {
  readonly truth: string
  /** results.txt as each reader shows it */
  readonly shown: readonly string[]
  /** results.txt of each run, as each reader has it */
  readonly ofRuns: readonly string[]
  readonly needed: number
  /** looks of Rekognition beyond the first at each image: answers lost, and messages that two readers had at a time */
  readonly extra: number
}

/** Runs the workers through what the plan has for them, until every reader has every run; then the queue is empty. */
export async function readersRun(plan: ReadersPlan): Promise<ReadersOutcome> {
  const { seed, images, faults, maxLatencyMs } = plan
  const dice = new Random('latency', seed)
  const latency = () => delay(dice.between(0, maxLatencyMs))
  const cloud = await TestCloud.start({ seed, visibilitySeconds, latency, faults })
  try {
    await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsBucket }))
    await Promise.all(images.map(({ key, bytes }) => cloud.put(key, bytes)))
    const accounts = new Accounts(cloud)
    const stateDirs = await workThrough(plan, cloud, accounts)
    const shown = await Promise.all(shownFiles(cloud).map((path) => readFile(path, 'utf8')))
    const ofRuns = await Promise.all(resultFiles(cloud, stateDirs).map((path) => readFile(path, 'utf8')))
    const { needed, extra } = accounts.balance()
    return { truth: truthOf(images), shown, ofRuns, needed, extra }
  } finally {
    await cloud.stop()
  }
}

/** @returns the state directories of the detectors */
async function workThrough(plan: ReadersPlan, cloud: TestCloud, accounts: Accounts): Promise<string[]> {
  const stateDirs = Array.from({ length: plan.detectors }, (_, place) => join(cloud.directory, `a${place}`))
  await Promise.all(stateDirs.map((stateDir) => mkdir(stateDir)))
  const reading = readers.map((name) => readerDriver(cloud, accounts, name))
  const detecting = stateDirs.map((stateDir) => detectorDriver(cloud, accounts, stateDir))
  const end = new AbortController()
  const acted = reading.map((driver, place) => driver.perform(plan.readerActs[place] ?? [], end.signal))
  const failed = acted.map((acts, place) => acts.then(() => reading[place]?.finished()))
  const detected = detecting.map((driver) =>
    driver.perform(plan.detectorActs, end.signal).then(() => driver.finished()),
  )
  try {
    const published = Promise.all(detected).then(() => allPublished(cloud, stateDirs))
    await Promise.race([...failed, published, tooLate(cloud, end.signal)])
    return stateDirs
  } catch (error) {
    const logs = [...detecting, ...reading].map(({ log }) => log).join('\n=== next worker\n')
    throw new Error(`seed ${plan.seed}: ${error instanceof Error ? error.message : error}\n${logs}`, {
      cause: error,
    })
  } finally {
    end.abort()
    await Promise.allSettled(acted)
    await Promise.all([...detecting, ...reading].map((driver) => driver.retire()))
  }
}

function readerDriver(cloud: TestCloud, accounts: Accounts, name: string): Driver {
  const stateDir = join(cloud.directory, name)
  const environment = { IMGPIPE_STATE_DIR: stateDir, IMGPIPE_RESULTS_BUCKET: resultsBucket }
  const start = (accessKey: string) => cloud.reader({ ...environment, AWS_ACCESS_KEY_ID: accessKey })
  return new Driver(cloud, accounts, { role: `reader-${name}-`, stateDir, start, isOver: async () => false })
}

function detectorDriver(cloud: TestCloud, accounts: Accounts, stateDir: string): Driver {
  const start = (accessKey: string) =>
    cloud.detector({ IMGPIPE_STATE_DIR: stateDir, AWS_ACCESS_KEY_ID: accessKey })
  return new Driver(cloud, accounts, {
    role: `detector-${basename(stateDir)}-`,
    stateDir,
    start,
    isOver: async () => isDone(stateDir),
  })
}

async function allPublished(cloud: TestCloud, stateDirs: readonly string[]): Promise<void> {
  await until(async () => {
    const found = await Promise.all(
      [...resultFiles(cloud, stateDirs), ...shownFiles(cloud)].map((path) =>
        readFile(path).then(
          () => true,
          () => false,
        ),
      ),
    )
    return found.every(Boolean)
  })
  await cloud.drained()
}

function shownFiles(cloud: TestCloud): string[] {
  return readers.map((name) => join(cloud.directory, name, 'results.txt'))
}

/** results.txt of each run on each reader's disk. */
function resultFiles(cloud: TestCloud, stateDirs: readonly string[]): string[] {
  return readers.flatMap((name) =>
    stateDirs.map((stateDir) => join(cloud.directory, name, 'runs', doneRun(stateDir) ?? '', 'results.txt')),
  )
}

async function tooLate(cloud: TestCloud, end: AbortSignal): Promise<void> {
  await delay(patienceMs, undefined, { signal: end }).catch(() => undefined)
  if (!end.aborted) throw new Error(`not over; messages: ${JSON.stringify(await cloud.messages())}`)
}
