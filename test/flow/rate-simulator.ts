import { Dispatcher } from '../../src/flow/dispatcher.ts'
import { Failure } from '../../src/flow/failure.ts'
import { Random } from '../support/random.ts'
import { createServiceQuota, type QuotaKind, type ServiceQuota } from './service-quota.ts'
import { VirtualTime } from './virtual-time.ts'

export interface World {
  /** Calls per second at a time (ms since the start). */
  quota: (ms: number) => number
  quotaKind: QuotaKind
  /** The bucket's capacity in seconds of the quota. */
  burstSeconds: number
  /** Log-normal latency. */
  medianMs: number
  p99Ms: number
  /** Whether a throttled call is answered as late as any other, or at once. */
  slowThrottles: boolean
  /** Mean lateness of the client's timers. */
  jitterMs: number
  /** Answers are seen only at multiples of this (a busy event loop); 0 = at once. */
  answersEveryMs: number
  seed: number
  workers: Worker[]
}

export interface Worker {
  images: number
  maxRequestsPerSecond?: number
  initialRatePerSecond?: number
  slowStart?: boolean
  /** When it starts (ms). */
  startsAt?: number
  /** When image k (0, 1, 2 …) becomes available, ms after the start; all at once when absent. */
  supply?: (k: number) => number
}

export interface SimulationResult {
  calls: number
  throttled: number
  /** When the last image was done (ms). */
  finishedAt: number
  /** When the service admitted its last call (ms). */
  lastAdmittedAt: number
  /** When calls were sent. */
  starts: number[]
  /** The rate of the first worker every 100 ms. */
  rates: number[]
}

/** A worker takes this many images more than may be in flight. */
const prefetch = 16

/** Lets workers with a real `Dispatcher` each call a simulated service in virtual time. Deterministic for a seed. */
export function simulate(world: World): Promise<SimulationResult> {
  return new Simulation(world).run()
}

/** The least time (ms) in which the service can admit so many calls. */
export function boundMs(world: Pick<World, 'quota' | 'quotaKind' | 'burstSeconds'>, images: number): number {
  const burst =
    world.quotaKind === 'bucket' ? Math.max(1, world.burstSeconds * world.quota(0)) : world.quota(0)
  let left = images - burst
  let ms = 0
  while (left > 0) {
    left -= world.quota(ms) / 1000
    ms += 1
  }
  return ms
}

class Simulation {
  readonly #world: World
  readonly #random: () => number
  readonly #time: VirtualTime
  readonly #quota: ServiceQuota
  readonly #result: SimulationResult = {
    calls: 0,
    throttled: 0,
    finishedAt: 0,
    lastAdmittedAt: 0,
    starts: [],
    rates: [],
  }

  constructor(world: World) {
    const random = new Random('rate', world.seed)
    this.#world = world
    this.#random = () => random.next()
    this.#time = new VirtualTime(() => this.#exponential(world.jitterMs))
    this.#quota = createServiceQuota(world.quotaKind, world.burstSeconds, this.#random() * 1000)
  }

  async run(): Promise<SimulationResult> {
    await this.#time.run(async () => {
      await Promise.all(this.#world.workers.map((worker, i) => this.#work(worker, i === 0)))
    })
    this.#result.finishedAt = this.#time.nowMs
    return this.#result
  }

  async #work(worker: Worker, isSampled: boolean): Promise<void> {
    const { images, maxRequestsPerSecond = 0, startsAt = 0, supply = () => 0, ...options } = worker
    await this.#time.sleep(startsAt)
    const dispatcher = new Dispatcher({
      ...options,
      operation: 'DetectLabels',
      maxRequestsPerSecond,
      shutdown: neverShutDown(),
    })
    const done = Promise.withResolvers<void>()
    if (isSampled) this.#sampleRate(dispatcher, done.promise)
    let next = 0
    let inFlight = 0
    const takeImages = () => {
      while (next < images && inFlight < dispatcher.concurrency.limit + prefetch) {
        inFlight++
        void this.#analyse(dispatcher, startsAt + supply(next++)).then(() => {
          inFlight--
          takeImages()
        })
      }
      if (inFlight === 0) done.resolve()
    }
    takeImages()
    await done.promise
  }

  async #analyse(dispatcher: Dispatcher, availableAt: number): Promise<void> {
    if (availableAt > this.#time.nowMs) await this.#time.sleep(availableAt - this.#time.nowMs)
    for (let failures = 0; ; failures++) {
      try {
        return await dispatcher.call(0, () => this.#answer())
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        await this.#time.sleep(Math.min(15_000, 200 * 2 ** failures) * (0.5 + 0.5 * this.#random()))
      }
    }
  }

  /** The service's side of a call. */
  async #answer(): Promise<void> {
    this.#result.calls += 1
    this.#result.starts.push(this.#time.nowMs)
    await this.#time.sleep(0.5 + this.#exponential(0.5))
    const isAdmitted = this.#quota.admits(this.#time.nowMs, this.#world.quota(this.#time.nowMs))
    if (isAdmitted) this.#result.lastAdmittedAt = this.#time.nowMs
    const { slowThrottles, answersEveryMs } = this.#world
    const latencyMs = isAdmitted || slowThrottles ? this.#latencyMs() : 2 + this.#exponential(10)
    let at = this.#time.nowMs + latencyMs
    if (answersEveryMs > 0) at = Math.ceil(at / answersEveryMs) * answersEveryMs
    await this.#time.sleep(at - this.#time.nowMs)
    if (isAdmitted) return
    this.#result.throttled += 1
    throw new Failure('throttled', 'DetectLabels', 'DetectLabels was throttled')
  }

  #sampleRate(dispatcher: Dispatcher, done: Promise<void>): void {
    let isDone = false
    void done.then(() => {
      isDone = true
    })
    const sample = () => {
      if (isDone) return
      this.#result.rates.push(dispatcher.ratePerSecond)
      this.#time.at(this.#time.nowMs + 100, sample)
    }
    sample()
  }

  #latencyMs(): number {
    const { medianMs, p99Ms } = this.#world
    const normal = Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random())
    return medianMs * Math.exp((Math.log(p99Ms / medianMs) / 2.326) * normal)
  }

  #exponential(mean: number): number {
    return mean === 0 ? 0 : -mean * Math.log(1 - this.#random())
  }
}

function neverShutDown() {
  return {
    graceful: new AbortController().signal,
    forced: new AbortController().signal,
    request: () => undefined,
  }
}
