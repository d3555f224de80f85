import { existsSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { answeredCalls, detectorFailures, doneRun, recordedRuns } from '../chaos/recorded.ts'
import { putImages } from '../pipeline/images.ts'
import { lookOf } from '../support/simulated-vision.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { TestCloud, until } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { doneWell, putCars, runBoth } from './support.ts'

let cloud: TestCloud
const disks: SmallDisk[] = []

beforeEach(async () => {
  cloud = await TestCloud.start({ visibilitySeconds: 30 })
})

afterEach(async () => {
  await killLeftWorkers()
  for (const disk of disks.splice(0).reverse()) disk.unmount()
  await cloud.stop()
})

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

const full = /WARN disk full, cannot write (\S+)/

/** @returns undefined where mounting is not allowed: the test is skipped */
function mount(path: string): SmallDisk | undefined {
  const disk = SmallDisk.mount(path, 4096)
  if (disk) disks.push(disk)
  return disk
}

const whySkipped = 'only root may mount a file system'

describe.for(['detector', 'reader'] as const)('the disk of the %s is full when it starts', (role) => {
  const stateDir = () => (role === 'detector' ? cloud.detectorState : cloud.readerState)

  test('for the first time: it waits with a sentence, and begins when there is space', async ({ skip }) => {
    const results = await putCars(cloud, 8)
    const disk = mount(stateDir())
    if (!disk) return skip(whySkipped)
    disk.fill()
    const worker = role === 'detector' ? cloud.detector() : cloud.reader({}, undefined, ['--once'])
    await worker.said(full)
    expect(full.exec(worker.log)?.[1]).toContain(stateDir())
    expect(worker.exit).toBeUndefined()
    disk.makeRoom()
    const other = role === 'detector' ? cloud.reader({}, undefined, ['--once']) : cloud.detector()
    expect(await worker.exited, worker.log).toEqual(doneWell)
    expect(await other.exited, other.log).toEqual(doneWell)
    expect(await cloud.results()).toBe(results)
    expect(worker.log.match(/WARN disk full/g)).toHaveLength(1)
  })

  test('after it was killed at work: nothing is lost, and nothing is paid for twice', async ({ skip }) => {
    const results = await putCars(cloud, 20)
    const disk = mount(stateDir())
    if (!disk) return skip(whySkipped)
    if (role === 'reader') expect(await cloud.detector().exited).toEqual(doneWell)
    const operation = role === 'detector' ? 'DetectLabels' : 'DetectText'
    const held = cloud.proxy.add({
      when: (request) => /(objects|text) (17|18|19|20)\.jpg/.test(lookOf(request) ?? ''),
      fault: { kind: 'wait', until: new Promise(() => undefined) },
    })
    const killed = cloud[role]()
    await until(() => looksOf(operation).length >= 16)
    await until(() => answeredCalls(stateDir(), role) >= 16)
    await killed.kill()
    held()
    disk.fill()
    const worker = role === 'detector' ? cloud.detector() : cloud.reader({}, undefined, ['--once'])
    await worker.said(full)
    disk.makeRoom()
    if (role === 'detector') {
      expect(await worker.exited, worker.log).toEqual(doneWell)
      expect(await cloud.reader({}, undefined, ['--once']).exited).toEqual(doneWell)
    } else expect(await worker.exited, worker.log).toEqual(doneWell)
    expect(await cloud.results()).toBe(results)
    expect(looksOf(operation)).toEqual(Array(20).fill(1))
    expect(detectorFailures(cloud.detectorState)).toEqual([])
  })

  test('it is stopped while it waits: it ends by itself and begins anew', async ({ skip }) => {
    const results = await putCars(cloud, 4)
    const disk = mount(stateDir())
    if (!disk) return skip(whySkipped)
    disk.fill()
    const worker = cloud[role]()
    await worker.said(full)
    const { signal } = await worker.stop()
    expect(signal).toBeNull()
    expect(worker.log).not.toMatch(/should not happen|\n\s+at /)
    disk.makeRoom()
    await runBoth(cloud)
    expect(await cloud.results()).toBe(results)
  })
})

describe('the disk is full when results are published', () => {
  test('their own disk: the reader waits, then they are exact', async ({ skip }) => {
    const results = await putCars(cloud, 8)
    await mkdir(cloud.readerState, { recursive: true })
    // A disk of its own for the results: the database has space, so that only publishing fails.
    const disk = mount(join(cloud.readerState, 'runs'))
    if (!disk) return skip(whySkipped)
    expect(await cloud.detector().exited).toEqual(doneWell)
    disk.fill()
    const reader = cloud.reader({}, undefined, ['--once'])
    await reader.said(full)
    expect(await cloud.results()).toBeUndefined()
    expect(recordedRuns(cloud.readerState)).toMatchObject([{ state: 'open', published: 0 }])
    disk.makeRoom()
    expect(await reader.exited, reader.log).toEqual(doneWell)
    expect(await cloud.results()).toBe(results)
    await cloud.drained()
  })

  test('killed while it waits, and the disk is still full at the next start', async ({ skip }) => {
    const results = await putCars(cloud, 8)
    await mkdir(cloud.readerState, { recursive: true })
    const disk = mount(join(cloud.readerState, 'runs'))
    if (!disk) return skip(whySkipped)
    expect(await cloud.detector().exited).toEqual(doneWell)
    disk.fill()
    const killed = cloud.reader()
    await killed.said(full)
    await killed.kill()
    const reader = cloud.reader()
    await reader.said(full)
    disk.makeRoom()
    // The messages of the one that was killed come again, and find their outcomes.
    await cloud.drained()
    expect(await cloud.results()).toBe(results)
    expect(recordedRuns(cloud.readerState)).toMatchObject([{ state: 'complete', published: 1 }])
    expect(await reader.stop()).toEqual(doneWell)
  })

  test('only results.txt is missing, and there is no space for it: the start waits', async ({ skip }) => {
    const disk = mount(cloud.readerState)
    if (!disk) return skip(whySkipped)
    const long = 'A'.repeat(30_000)
    await putImages(
      cloud,
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => ({ key: `${n}.jpg`, car: 99, lines: [long] })),
    )
    await runBoth(cloud)
    const run = doneRun(cloud.detectorState) ?? ''
    const results = await readFile(join(cloud.readerState, 'runs', run, 'results.txt'), 'utf8')
    expect(results.length).toBeGreaterThan(200_000)
    await rm(join(cloud.readerState, 'results.txt'))
    // Enough for the database, not for a copy of the results.
    disk.fill(40)
    const reader = cloud.reader()
    await reader.said(full)
    expect(reader.log).toMatch(/the reader is ready/)
    expect(full.exec(reader.log)?.[1]).not.toMatch(/sqlite/)
    expect(reader.exit).toBeUndefined()
    disk.makeRoom()
    await until(async () => (await cloud.results()) === results)
    expect(existsSync(join(cloud.readerState, 'results.txt.tmp'))).toBe(false)
    expect(await reader.stop()).toEqual(doneWell)
  })
})

/** How often each image was looked at by an operation. */
function looksOf(operation: string): number[] {
  const kind = operation === 'DetectLabels' ? 'objects' : 'text'
  return [...cloud.vision.looks].filter(([name]) => name.startsWith(`${kind} `)).map(([, count]) => count)
}
