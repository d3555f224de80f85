import { readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import { SendMessageCommand } from '@aws-sdk/client-sqs'
import { expect } from 'vitest'
import { endMessage, imageMessage } from '../../src/protocol/messages.ts'
import { simulatedImage } from '../support/simulated-vision.ts'
import { bucket, TestCloud, until } from '../support/test-cloud.ts'
import type { WorkerProcess } from '../support/worker-process.ts'
import { Accounts } from './accounts.ts'
import { truthOf } from './chaos-run.ts'
import { doneRun } from './recorded.ts'

const preload = new URL('../support/crash-preload.ts', import.meta.url).pathname

const images = [
  { key: '1.jpg', car: 95, lines: ['ONE'] },
  { key: '2.jpg', car: 0, lines: ['TWO'] },
  { key: '10.jpg', car: 99, lines: ['TEN', 'and more'] },
  { key: '11.jpg', car: 92, lines: [] },
].map(({ key, car, lines }) => {
  const sight = { id: key, objects: car > 0 ? [{ name: 'Car', confidence: car }] : [], lines }
  return { key, car, sight, bytes: simulatedImage(sight) }
})
const cars = images.filter(({ car }) => car > 0)
const truth = truthOf(images)

/** What the preload of a process is told. */
type Orders = { readonly CRASH_AT: string } | { readonly STEPS_FILE: string }

/** A process was killed where it was meant to be, or it never came there. */
export type Fate = 'killed' | 'came not there'

/** A cloud in which one run after the other is killed somewhere, started again, and has to come out right. */
export class CrashPoints {
  readonly #cloud: TestCloud
  readonly #accounts: Accounts
  #residentReader: WorkerProcess | undefined

  static async start(): Promise<CrashPoints> {
    const cloud = await TestCloud.start({ visibilitySeconds: 2 })
    for (const { key, bytes } of images) await cloud.put(key, bytes)
    return new CrashPoints(cloud)
  }

  private constructor(cloud: TestCloud) {
    this.#cloud = cloud
    this.#accounts = new Accounts(cloud)
  }

  async stop(): Promise<void> {
    await this.#residentReader?.kill()
    await this.#cloud.stop()
  }

  /** Every step of a run that nobody kills, as the preload names them. */
  async stepsOf(run: (name: string, orders: Orders) => Promise<Fate>): Promise<string[]> {
    const file = join(this.#cloud.directory, 'steps.txt')
    await run('steps', { STEPS_FILE: file })
    const steps = (await readFile(file, 'utf8')).trim().split('\n')
    // An idle reader asks again and again.
    return steps.filter((step) => Number(/ReceiveMessage (\d+)/.exec(step)?.[1] ?? 0) <= 5)
  }

  /** A run over all images, whose detector is killed and started again; its messages go to a reader. */
  async detect(name: string, orders: Orders): Promise<Fate> {
    this.#residentReader ??= this.#cloud.reader()
    const stateDir = join(this.#cloud.directory, name)
    const start = (accessKey: string, more: object = {}) =>
      this.#cloud.detector({ IMGPIPE_STATE_DIR: stateDir, AWS_ACCESS_KEY_ID: accessKey, ...more }, preload)
    const first = `${name}-first`
    const second = `${name}-second`
    const { signal } = await start(first, orders).exited
    if (signal === 'SIGKILL') this.#accounts.killed(first, stateDir)
    if (doneRun(stateDir) === undefined) expect((await start(second).exited).code).toBe(0)
    await this.#isRead(doneRun(stateDir) ?? '', this.#cloud.readerState)
    this.#isPaidOnce(first, second, images.length)
    return signal === 'SIGKILL' ? 'killed' : 'came not there'
  }

  /** A run's messages in a queue of their own, whose reader is killed and started again. */
  async read(name: string, orders: Orders): Promise<Fate> {
    const queueUrl = await this.#cloud.queue(name)
    const run = await this.#sendRun(queueUrl)
    const stateDir = join(this.#cloud.directory, name)
    const start = (accessKey: string, more: object = {}) =>
      this.#cloud.reader(
        { IMGPIPE_STATE_DIR: stateDir, IMGPIPE_QUEUE: name, AWS_ACCESS_KEY_ID: accessKey, ...more },
        preload,
      )
    const complete = this.#isRead(run, stateDir).then(() => this.#cloud.drained(queueUrl))
    const [first, second] = [`${name}-first`, `${name}-second`]
    const killed = start(first, orders)
    await Promise.race([complete, killed.exited])
    const { signal } = await killed.stop()
    if (signal === 'SIGKILL') {
      this.#accounts.killed(first, stateDir)
      const other = start(second)
      await complete
      await other.kill()
    }
    this.#isPaidOnce(first, second, cars.length)
    return signal === 'SIGKILL' ? 'killed' : 'came not there'
  }

  async #sendRun(QueueUrl: string): Promise<string> {
    const run = `20260101T000000Z-${basename(QueueUrl).padStart(4, '0').slice(-4)}`
    const indexes = cars.map(({ key, car }, place) =>
      imageMessage({
        run,
        n: place + 1,
        key,
        bucket,
        etag: undefined,
        sizeBytes: undefined,
        confidence: car,
        boxes: [],
        fresh: false,
      }),
    )
    const end = endMessage({ run, count: cars.length, images: images.length, failed: 0, abandoned: false })
    for (const { body, attributes } of [...indexes, end]) {
      const message = { QueueUrl, MessageBody: body, MessageAttributes: attributes }
      await this.#cloud.sqs.send(new SendMessageCommand(message))
    }
    return run
  }

  async #isRead(run: string, stateDir: string): Promise<void> {
    const path = join(stateDir, 'runs', run, 'results.txt')
    const results = () => readFile(path, 'utf8').catch(() => undefined)
    await until(async () => {
      const { exit, log } = this.#residentReader ?? {}
      if (exit) throw new Error(`the reader of all runs has ended:\n${log}`)
      return (await results()) !== undefined
    })
    expect(await results()).toBe(truth)
  }

  #isPaidOnce(first: string, second: string, needed: number): void {
    const lost = this.#accounts.inFlightAtKill(first).size
    const calls = this.#accounts.callsOf(first) + this.#accounts.callsOf(second)
    expect(calls - lost).toBeLessThanOrEqual(needed)
  }
}

/** Does it for each step, a few at a time. @returns the steps that were not come to */
export async function eachStep(
  steps: readonly string[],
  work: (name: string, step: string) => Promise<Fate>,
): Promise<string[]> {
  const left = [...steps.entries()]
  const missed: string[] = []
  const one = async () => {
    for (let next = left.shift(); next; next = left.shift()) {
      const [place, step] = next
      const fate = await work(`p${place}`, step).catch((cause) => {
        throw new Error(`killed at "${step}"`, { cause })
      })
      if (fate !== 'killed') missed.push(step)
    }
  }
  await Promise.all(Array.from({ length: 2 * availableParallelism() }, one))
  return missed
}
