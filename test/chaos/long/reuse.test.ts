import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, describe, expect, test } from 'vitest'
import { type Described, expectedResults, numbered, putImages } from '../../pipeline/images.ts'
import { Random } from '../../support/random.ts'
import { lookOf } from '../../support/simulated-vision.ts'
import { bucket, TestCloud, until } from '../../support/test-cloud.ts'
import { killLeftWorkers, type WorkerProcess } from '../../support/worker-process.ts'
import { answeredCalls, doneRun } from '../recorded.ts'

/** CHAOS_SEED=n runs that one again; CHAOS_SEEDS=n runs so many. Default 6. */
const one = Number(process.env.CHAOS_SEED ?? 0)
const count = Number(process.env.CHAOS_SEEDS ?? 6)
const seeds = one > 0 ? [one] : Array.from({ length: count }, (_, place) => place + 1)

const runs = 3
const images = 90
const killsPerRun = 4
/** Calls in flight, and answers that wait for the next commit, of one process on a busy machine. */
const maxInFlight = 64
const doneWell = { code: 0, signal: null }
const roles = ['detector', 'reader'] as const
type Role = (typeof roles)[number]

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

describe('kill -9 of either worker in the first run and in later ones', () => {
  test.concurrent.each(seeds)(
    'every result is exact, and no answer is paid for twice, seed %i',
    async (seed) => {
      const random = new Random('reuse', seed)
      const cloud = await TestCloud.start({
        seed,
        visibilitySeconds: 2,
        latency: () => delay(random.between(0, 60)),
      })
      try {
        const pair = new Pair(cloud, random)
        let described = numbered(images)
        await putImages(cloud, described)
        const needed = { detector: described.length, reader: carsOf(described) }
        for (let run = 0; run < runs; run++) {
          await pair.runThrough()
          expect(await pair.results(), `run ${run + 1}`).toBe(expectedResults(described))
          // Each answer is on the disk once.
          for (const role of roles) expect(answeredCalls(pair.stateDir(role), role), role).toBe(needed[role])
          for (const role of roles) {
            const looks = pair.looks(role)
            expect(looks, `calls of the ${role}`).toBeLessThanOrEqual(
              needed[role] + pair.inFlightAtKills(role),
            )
          }
          if (run === runs - 1) break
          const change = changeOf(described, run, random)
          await putImages(cloud, change.put)
          for (const { key } of change.removed)
            await cloud.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }))
          described = change.now
          needed.detector += change.put.length
          needed.reader += carsOf(change.put)
        }
        console.log(
          `seed ${seed}: ${needed.detector} + ${needed.reader} calls needed, ${pair.looks('detector')} + ${pair.looks('reader')} ` +
            `made; ${pair.inFlightAtKills('detector')} + ${pair.inFlightAtKills('reader')} in flight at ${pair.kills} kills`,
        )
      } finally {
        await cloud.stop()
      }
    },
  )
})

function carsOf(described: readonly Described[]): number {
  return described.filter(({ car = 0 }) => car > 90).length
}

/** Some are replaced, some are new, some are gone. */
function changeOf(before: readonly Described[], run: number, random: Random) {
  const replaced = before
    .filter(() => random.chance(0.15))
    .map(({ key }) => ({ key, lines: [`RUN ${run + 2}`], ...(random.chance(0.7) && { car: 95 }) }))
  const added = numbered(10, `new-${run}-`)
  const removed = before.filter(({ key }) => random.chance(0.1) && !replaced.some((each) => each.key === key))
  const kept = before
    .filter((each) => !removed.includes(each))
    .map((each) => replaced.find(({ key }) => key === each.key) ?? each)
  const natural = new Intl.Collator('en', { numeric: true })
  const now = [...kept, ...added].sort((a, b) => natural.compare(a.key, b.key))
  return { put: [...replaced, ...added], removed, now }
}

/** Both workers, of which each is killed and started again at random until the run is published. */
class Pair {
  readonly #cloud: TestCloud
  readonly #random: Random
  /** requests that ask Rekognition, by the process's access key */
  readonly #asked = new Map<string, number>()
  /** answers that each killed process has left on the disk */
  readonly #killed = new Map<string, { role: Role; recorded: number }>()
  #starts = 0

  constructor(cloud: TestCloud, random: Random) {
    this.#cloud = cloud
    this.#random = random
    cloud.proxy.onArrival((request) => {
      if (lookOf(request) === undefined) return
      const accessKey = request.accessKey ?? ''
      this.#asked.set(accessKey, (this.#asked.get(accessKey) ?? 0) + 1)
    })
  }

  stateDir(role: Role): string {
    return role === 'detector' ? this.#cloud.detectorState : this.#cloud.readerState
  }

  /** Rekognition's calls that were made for a worker. */
  looks(role: Role): number {
    const kind = role === 'detector' ? 'objects' : 'text'
    const looks = [...this.#cloud.vision.looks].filter(([name]) => name.startsWith(`${kind} `))
    return looks.reduce((sum, [, times]) => sum + times, 0)
  }

  get kills(): number {
    return this.#killed.size
  }

  /** Calls of killed processes whose answers are not on the disk; the last ones may arrive after the kill. */
  inFlightAtKills(role: Role): number {
    const killed = [...this.#killed].filter(([, process]) => process.role === role)
    const inFlight = killed.map(([key, { recorded }]) => (this.#asked.get(key) ?? 0) - recorded)
    expect(Math.max(0, ...inFlight), 'answers are committed soon').toBeLessThanOrEqual(maxInFlight)
    return inFlight.reduce((sum, calls) => sum + calls, 0)
  }

  /** results.txt of the detector's newest run */
  results(): Promise<string> {
    const run = doneRun(this.#cloud.detectorState) ?? ''
    return readFile(join(this.#cloud.readerState, 'runs', run, 'results.txt'), 'utf8')
  }

  async runThrough(): Promise<void> {
    const before = doneRun(this.#cloud.detectorState)
    const isDetected = () => doneRun(this.#cloud.detectorState) !== before
    const isPublished = () =>
      isDetected() &&
      this.results().then(
        () => true,
        () => false,
      )
    await Promise.all([
      this.#killOften('detector', isDetected).then((detector) => detector?.exited),
      this.#killOften('reader', isPublished).then(async (reader) => {
        await until(isPublished)
        await this.#cloud.drained()
        expect(await reader?.stop()).toEqual(doneWell)
      }),
    ])
  }

  /** @returns the process that is left; undefined when the work was over before */
  async #killOften(role: Role, isOver: () => boolean | Promise<boolean>): Promise<WorkerProcess | undefined> {
    for (let kills = 0; kills < killsPerRun; kills++) {
      const accessKey = `${role}${++this.#starts}`
      const answered = answeredCalls(this.stateDir(role), role)
      const worker = this.#cloud[role]({ AWS_ACCESS_KEY_ID: accessKey })
      const end = new AbortController()
      const requests = this.#random.between(1, role === 'detector' ? 40 : 25)
      const mine = (request: { accessKey: string | undefined }) => request.accessKey === accessKey
      const isReached = this.#cloud.proxy.arrivals(requests, mine, end.signal).then(() => true)
      const over = until(async () => end.signal.aborted || (await isOver())).then(() => false)
      const isToBeKilled = await Promise.race([isReached, over])
      end.abort()
      if (!isToBeKilled || worker.exit) return worker
      await worker.kill()
      const recorded = answeredCalls(this.stateDir(role), role) - answered
      this.#killed.set(accessKey, { role, recorded })
      if (await isOver()) break
    }
    if (role === 'detector' && (await isOver())) return undefined
    return this.#cloud[role]({ AWS_ACCESS_KEY_ID: `${role}${++this.#starts}` })
  }
}

describe('a limit of 100 calls a day over 300 images, with a start every few seconds and kills', () => {
  const limit = 100
  const many = numbered(300)

  test.concurrent.each(roles)('the %s makes no more than 100 calls in the day', async (role) => {
    const random = new Random('daily limit', role)
    const cloud = await TestCloud.start({
      visibilitySeconds: 2,
      latency: () => delay(random.between(20, 100)),
    })
    try {
      await putImages(cloud, many)
      if (role === 'reader') expect(await cloud.detector().exited).toEqual(doneWell)
      const operation = role === 'detector' ? 'DetectLabels' : 'DetectText'
      const byDay = new Map<string, number>()
      cloud.proxy.onArrival((request) => {
        const day = new Date().toISOString().slice(0, 10)
        if (request.operation === operation) byDay.set(day, (byDay.get(day) ?? 0) + 1)
      })
      const limited = { IMGPIPE_MAX_CALLS_PER_DAY: String(limit), IMGPIPE_MAX_RPS: '30' }
      for (let starts = 0; starts < 12; starts++) {
        const worker = cloud[role](limited)
        await Promise.race([delay(random.between(500, 3_000)), worker.exited])
        await worker.kill()
        for (const [day, calls] of byDay) expect(calls, day).toBeLessThanOrEqual(limit)
      }
      // Every start that could make calls made some; then none was left.
      const last = cloud[role](limited)
      await last.said(/limit of 100 Rekognition calls a day/)
      await last.kill()
      for (const [day, calls] of byDay) expect(calls, day).toBeLessThanOrEqual(limit)
      expect([...byDay.values()].reduce((sum, calls) => sum + calls, 0)).toBeGreaterThan(limit / 2)
      // Without the limit the run is finished, and exact.
      const reader = cloud.reader({}, undefined, ['--once'])
      if (role === 'detector') expect(await cloud.detector().exited).toEqual(doneWell)
      expect(await reader.exited, reader.log).toEqual(doneWell)
      expect(await cloud.results()).toBe(expectedResults(many))
    } finally {
      await cloud.stop()
    }
  })
})
