import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ResultsHead } from '../../../src/results/format.ts'
import { LoopDisk } from '../../support/loop-disk.ts'
import { Random } from '../../support/random.ts'
import { TestCloud, until } from '../../support/test-cloud.ts'
import { killLeftWorkers, type WorkerProcess } from '../../support/worker-process.ts'
import { Accounts } from '../accounts.ts'
import { truthOf } from '../chaos-run.ts'
import { imagesOf, type PlannedImage } from '../plan.ts'
import { recordedRuns } from '../recorded.ts'

/**
 * Power fails while a worker is at work, at moments that a seed chooses: its disk then holds what was synced, and nothing
 * else need be there. POWER_SEEDS=n runs so many for each worker. Default 6.
 */
const seeds = Array.from({ length: Number(process.env.POWER_SEEDS ?? 6) }, (_, place) => place + 1)
const whySkipped = 'only root may mount a file system over a loop device'
const doneWell = { code: 0, signal: null }
const imageCount = 40
const lossesPerRun = 2

type Role = 'detector' | 'reader'
/** What is sent or deleted is done because of an answer that must be on the disk by then. */
const decisive = { detector: 'SendMessageBatch', reader: 'DeleteMessageBatch' } as const
const asking = { detector: 'DetectLabels', reader: 'DetectText' } as const

let cloud: TestCloud
let accounts: Accounts
let disk: LoopDisk | undefined
let images: PlannedImage[]
let starts: number

beforeEach(async () => {
  cloud = await TestCloud.start({ visibilitySeconds: 2, latency: () => delay(20) })
  accounts = new Accounts(cloud)
  starts = 0
})

afterEach(async () => {
  // Ends what still waits for the results.
  starts = 0
  await killLeftWorkers()
  await disk?.unmount()
  disk = undefined
  await cloud.stop()
})

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

/** @returns false where mounting is not allowed */
async function begin(role: Role, random: Random): Promise<boolean> {
  images = imagesOf(random, imageCount)
  await Promise.all(images.map(({ key, bytes }) => cloud.put(key, bytes)))
  const stateDir = stateDirOf(role)
  mkdirSync(stateDir)
  disk = LoopDisk.mount(stateDir, join(cloud.directory, 'disk'))
  return disk !== undefined
}

function stateDirOf(role: Role): string {
  return role === 'detector' ? cloud.detectorState : cloud.readerState
}

function start(role: Role, more: Record<string, string> = {}): WorkerProcess {
  return cloud[role]({ AWS_ACCESS_KEY_ID: accessKeyOf(role, ++starts), ...more })
}

function accessKeyOf(role: Role, place: number): string {
  return `${role}${place}`
}

/** @returns when so many more requests of an operation have been made by the worker that runs */
function reached(role: Role, operation: string, count: number): Promise<void> {
  const accessKey = accessKeyOf(role, starts)
  return cloud.proxy.arrivals(
    count,
    (request) => request.accessKey === accessKey && request.operation === operation,
  )
}

async function losePower(role: Role, worker: WorkerProcess): Promise<void> {
  await disk?.losePower(worker.pid, () => worker.kill())
  // What was in flight is what the disk does not have, after the loss.
  accounts.killed(accessKeyOf(role, starts), stateDirOf(role))
}

/** The worker under test, which loses power at moments that the dice choose. @returns the process that is left */
async function loseOften(
  role: Role,
  random: Random,
  more: Record<string, string> = {},
): Promise<WorkerProcess> {
  let worker = start(role, more)
  for (let losses = 0; losses < lossesPerRun; losses++) {
    const operation = random.pick([asking[role], decisive[role]])
    const count = operation === asking[role] ? random.between(1, 12) : random.between(1, 3)
    const isThere = await Promise.race([
      reached(role, operation, count).then(() => true),
      worker.exited.then(() => false),
      allRead().then(() => false),
    ])
    if (!isThere) return worker
    await delay(random.between(0, 60))
    if (worker.exit) return worker
    await losePower(role, worker)
    worker = start(role, more)
  }
  return worker
}

async function allRead(): Promise<void> {
  await until(async () => (await cloud.results()) !== undefined || starts === 0)
}

/** The runs whose messages were sent: a detector that has forgotten its run would begin another. */
function watchRuns(): Set<string> {
  const runs = new Set<string>()
  cloud.proxy.onArrival(({ operation, body }) => {
    if (operation !== 'SendMessageBatch' && operation !== 'SendMessage') return
    for (const [, run = ''] of body.toString().matchAll(/(\d{8}T\d{6}Z-\w{4})/g)) runs.add(run)
  })
  return runs
}

/** Both workers to the end. When the queue is empty, the result is there: nothing is deleted before. */
async function finish(): Promise<void> {
  await cloud.drained()
  expect(await cloud.results()).toBe(truthOf(images))
}

/** What the control must fail: the same as for honest disks, at the same moments. */
async function detectorLosesPower(random: Random, more: Record<string, string> = {}): Promise<string[]> {
  const runs = watchRuns()
  const reader = cloud.reader({ AWS_ACCESS_KEY_ID: 'other' })
  const detector = await loseOften('detector', random, more)
  expect(await detector.exited, detector.log).toEqual(doneWell)
  await finish()
  await reader.kill()
  return [...runs]
}

async function readerLosesPower(random: Random, more: Record<string, string> = {}): Promise<void> {
  expect(await cloud.detector({ AWS_ACCESS_KEY_ID: 'other' }).exited).toEqual(doneWell)
  const reader = await loseOften('reader', random, more)
  await finish()
  // Once more, when all is done: every file of the results must be on the disk, with its name and its content.
  await losePower('reader', reader)
  expect(await cloud.results()).toBe(truthOf(images))
  const [run] = recordedRuns(cloud.readerState)
  const directory = join(cloud.readerState, 'runs', run?.run ?? '')
  expect(await readFile(join(directory, 'results.txt'), 'utf8')).toBe(truthOf(images))
  const json: ResultsHead & { outcomes: unknown[] } = JSON.parse(
    await readFile(join(directory, 'results.json'), 'utf8'),
  )
  expect(json.outcomes).toHaveLength(json.count)
}

describe('power fails under the state directory', () => {
  test.for(seeds)('of the detector, seed %i', async (seed, { skip }) => {
    const random = new Random('power loss of the detector', seed)
    if (!(await begin('detector', random))) return skip(whySkipped)
    expect(await detectorLosesPower(random)).toHaveLength(1)
    expect(accounts.balance().unexcused).toEqual([])
  })

  test.for(seeds)('of the reader, seed %i', async (seed, { skip }) => {
    const random = new Random('power loss of the reader', seed)
    if (!(await begin('reader', random))) return skip(whySkipped)
    await readerLosesPower(random)
    expect(accounts.balance().unexcused).toEqual([])
  })
})

describe('a control: where fsync does nothing, power losses are noticed', () => {
  /** @returns undefined where there is no C compiler */
  function libraryWithoutSync(): string | undefined {
    const [source, library] = [join(cloud.directory, 'nosync.c'), join(cloud.directory, 'nosync.so')]
    const functions = ['fsync', 'fdatasync'].map((name) => `int ${name}(int fd) { (void)fd; return 0; }`)
    writeFileSync(source, `${functions.join('\n')}\nint sync_file_range() { return 0; }\n`)
    const { status } = spawnSync('cc', ['-shared', '-fPIC', '-o', library, source])
    return status === 0 ? library : undefined
  }

  test.for(['detector', 'reader'] as const)('%s', async (role, { skip }) => {
    const random = new Random('control', role)
    if (!(await begin(role, random))) return skip(whySkipped)
    const library = libraryWithoutSync()
    if (library === undefined) return skip('there is no C compiler')
    const preload = { LD_PRELOAD: library }
    const worker = role === 'reader' ? await detectedFor('reader', preload) : start('detector', preload)
    const runs = watchRuns()
    await reached(role, decisive[role], 2)
    await losePower(role, worker)
    const again = start(role, preload)
    if (role === 'detector') {
      expect(await again.exited, again.log).toEqual(doneWell)
      expect(runs.size, 'the run is forgotten').toBeGreaterThan(1)
    } else {
      await cloud.drained()
      expect(await cloud.results(), 'outcomes are forgotten').not.toBe(truthOf(images))
    }
  })

  async function detectedFor(role: Role, more: Record<string, string>): Promise<WorkerProcess> {
    expect(await cloud.detector({ AWS_ACCESS_KEY_ID: 'other' }).exited).toEqual(doneWell)
    return start(role, more)
  }
})

test('the disk of these tests loses what was not synced, and keeps what was', async ({ skip }) => {
  const directory = join(cloud.directory, 'plain')
  mkdirSync(directory)
  disk = LoopDisk.mount(directory, join(cloud.directory, 'disk'))
  if (!disk) return skip(whySkipped)
  writeFileSync(join(directory, 'synced'), 'synced')
  disk.sync()
  writeFileSync(join(directory, 'not synced'), 'not synced')
  const other = spawn('sleep', ['60'])
  const gone = new Promise((resolve) => other.once('close', resolve))
  await disk.losePower(other.pid ?? 0, () => {
    other.kill('SIGKILL')
    return gone
  })
  expect(await readFile(join(directory, 'synced'), 'utf8')).toBe('synced')
  await expect(readFile(join(directory, 'not synced'))).rejects.toThrow('ENOENT')
})
