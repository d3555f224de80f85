import { InFlightLimit } from '../../src/aws/in-flight.ts'
import { Pace, type Ticket } from '../../src/aws/pace.ts'
import { Agenda } from './pace-agenda.ts'
import { type Limiter, type LimiterKind, makeLimiter } from './pace-limiters.ts'

export interface World {
  /** Calls per second at a time (ms since the start). */
  quota: (ms: number) => number
  limiter: LimiterKind
  /** The bucket's size in seconds of quota. */
  burstSeconds: number
  /** Log-normal latency. */
  medianMs: number
  p99Ms: number
  /** Whether a throttled call is answered at once or as late as any other. */
  slowThrottles: boolean
  /** Mean lateness of the client's timers. */
  jitterMs: number
  /** Answers are seen only at multiples of this (a busy event loop); 0 = at once. */
  bunchMs: number
  seed: number
  workers: Worker[]
}

export interface Worker {
  pictures: number
  maxRequestsPerSecond?: number
  /** After a crash. */
  isCareful?: boolean
  /** When it starts (ms). */
  startsAt?: number
  /** When picture k (0, 1, 2 …) becomes available, ms after the start; all at once when absent. */
  supply?: (k: number) => number
}

export interface Outcome {
  calls: number
  throttled: number
  /** When the last picture was done (ms). */
  finishedAt: number
  /** When the service has admitted its last call (ms). */
  lastAdmittedAt: number
  perWorker: { finishedAt: number; done: number }[]
  /** Started calls, for tests of spacing. */
  starts: number[]
  /** The rate of the first worker every 100 ms. */
  rates: number[]
}

/** Plays the workers against the service in virtual time. Deterministic for a seed. */
export function simulate(world: World): Outcome {
  return new Simulation(world).run()
}

/** The least time (ms) in which the service can admit so many calls. */
export function boundMs(world: Pick<World, 'quota' | 'limiter' | 'burstSeconds'>, pictures: number): number {
  const burst = world.limiter === 'bucket' ? Math.max(1, world.burstSeconds * world.quota(0)) : world.quota(0)
  let left = pictures - burst
  let ms = 0
  while (left > 0) {
    left -= world.quota(ms) / 1000
    ms += 1
  }
  return ms
}

interface Client {
  pace: Pace
  limit: InFlightLimit
  waiting: number
  unsupplied: number
  inFlight: number
  done: number
  finishedAt: number
  wakeAt: number
}

class Simulation {
  readonly #world: World
  readonly #dice: () => number
  readonly #events = new Agenda()
  readonly #limiter: Limiter
  readonly #clients: Client[]
  readonly #outcome: Outcome = {
    calls: 0,
    throttled: 0,
    finishedAt: 0,
    perWorker: [],
    starts: [],
    rates: [],
    lastAdmittedAt: 0,
  }
  #now = 0

  constructor(world: World) {
    this.#world = world
    this.#dice = dice(world.seed)
    this.#limiter = makeLimiter(world.limiter, world.burstSeconds, this.#dice() * 1000)
    this.#clients = world.workers.map((worker) => this.#client(worker))
  }

  run(): Outcome {
    this.#sampleRate()
    for (let event = this.#events.next(); event; event = this.#events.next()) {
      this.#now = event.at
      event.action()
    }
    this.#outcome.perWorker = this.#clients.map(({ finishedAt, done }) => ({ finishedAt, done }))
    this.#outcome.finishedAt = Math.max(...this.#clients.map((client) => client.finishedAt))
    return this.#outcome
  }

  #client(worker: Worker): Client {
    const { maxRequestsPerSecond = 0, isCareful = false } = worker
    const pace = new Pace({ maxRequestsPerSecond, isCareful, now: () => this.#now })
    const supplied = worker.supply ? 0 : worker.pictures
    const client: Client = {
      pace,
      limit: new InFlightLimit({ isCareful }),
      waiting: supplied,
      unsupplied: worker.pictures - supplied,
      inFlight: 0,
      done: 0,
      finishedAt: 0,
      wakeAt: -1,
    }
    const startsAt = worker.startsAt ?? 0
    this.#events.add(startsAt, () => this.#dispatch(client))
    for (let k = 0; worker.supply && k < worker.pictures; k += 1) {
      this.#events.add(startsAt + worker.supply(k), () => {
        client.waiting += 1
        client.unsupplied -= 1
        this.#dispatch(client)
      })
    }
    return client
  }

  #dispatch(client: Client): void {
    if (client.wakeAt > this.#now) return
    while (client.waiting > 0 && client.limit.hasRoom) {
      const wait = client.pace.waitMs
      if (wait > 0) {
        this.#wakeLater(client, wait)
        return
      }
      this.#call(client)
    }
  }

  #wakeLater(client: Client, wait: number): void {
    client.wakeAt =
      this.#now + Math.max(1, Math.ceil(Math.min(wait, 25))) + exponential(this.#dice, this.#world.jitterMs)
    this.#events.add(client.wakeAt, () => {
      client.wakeAt = -1
      this.#dispatch(client)
    })
  }

  #call(client: Client): void {
    const ticket = client.pace.start()
    client.waiting -= 1
    client.inFlight += 1
    client.limit.started()
    this.#outcome.calls += 1
    this.#outcome.starts.push(this.#now)
    this.#events.add(this.#now + 0.5 + exponential(this.#dice, 0.5), () => this.#serve(client, ticket))
  }

  #serve(client: Client, ticket: Ticket): void {
    const admitted = this.#limiter.admits(this.#now, this.#world.quota(this.#now))
    if (admitted) this.#outcome.lastAdmittedAt = this.#now
    const { medianMs, p99Ms, slowThrottles, bunchMs } = this.#world
    const latency = medianMs * Math.exp((Math.log(p99Ms / medianMs) / 2.326) * normal(this.#dice))
    let at = this.#now + (admitted || slowThrottles ? latency : 2 + exponential(this.#dice, 10))
    if (bunchMs > 0) at = Math.ceil(at / bunchMs) * bunchMs
    this.#events.add(at, () => this.#answer(client, ticket, admitted))
  }

  #answer(client: Client, ticket: Ticket, admitted: boolean): void {
    client.inFlight -= 1
    client.limit.ended(admitted ? this.#now - ticket.startedAt : undefined)
    if (admitted) {
      client.pace.succeeded(ticket)
      client.done += 1
      client.finishedAt = this.#now
    } else {
      client.pace.throttled(ticket)
      client.waiting += 1
      this.#outcome.throttled += 1
    }
    this.#dispatch(client)
  }

  #sampleRate(): void {
    const first = this.#clients[0]
    if (!first || first.waiting + first.inFlight + first.unsupplied === 0) return
    this.#outcome.rates.push(first.pace.ratePerSecond)
    this.#events.add(this.#now + 100, () => this.#sampleRate())
  }
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function dice(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

function exponential(random: () => number, mean: number): number {
  return mean === 0 ? 0 : -mean * Math.log(1 - random())
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
