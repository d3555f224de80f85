import type { AwsRequest } from '../support/aws-request.ts'
import type { SeenRequest } from '../support/fault-proxy.ts'
import { lookOf, type SimulatedVision } from '../support/simulated-vision.ts'
import type { TestCloud } from '../support/test-cloud.ts'
import { recordedKeys } from './recorded.ts'

/** Rekognition's calls of a whole run. */
export interface Balance {
  /** images that were looked at, by each of the two operations */
  readonly needed: number
  /** looks beyond the first of each */
  readonly extra: number
  /** those of the extra ones that nothing excuses */
  readonly unexcused: readonly string[]
  /** all that were sent, also those that were refused, throttled or lost on the way there */
  readonly requests: number
  /** the most that were in flight at any one kill */
  readonly maxInFlight: number
}

/**
 * Accounts for Rekognition's calls. One per image and operation is needed; another one is excused only
 * when the answer of the one before was lost: by a fault on the way, or because its worker was killed before
 * the answer was on the disk.
 */
export class Accounts {
  readonly #vision: SimulatedVision
  /** `objects KEY` or `text KEY` → answers lost on the way */
  readonly #lost = new Map<string, number>()
  /** what each process has asked for, by its access key: every call, repeated ones too */
  readonly #asked = new Map<string, string[]>()
  /** keys that were on the disk when a process was killed, by its access key */
  readonly #recordedAtKill = new Map<string, Set<string>>()

  constructor({ vision, proxy }: TestCloud) {
    this.#vision = vision
    proxy.onArrival((request) => this.#ask(request))
    proxy.onSeen((seen) => this.#see(seen))
  }

  /** A process is gone without having finished what it had in flight; its last requests may still be under way. */
  killed(accessKey: string, stateDir: string): void {
    this.#recordedAtKill.set(accessKey, recordedKeys(stateDir))
  }

  balance(): Balance {
    const inFlightAtKills = [...this.#recordedAtKill.keys()].map((process) => this.inFlightAtKill(process))
    const unexcused: string[] = []
    let extra = 0
    for (const [name, looks] of this.#vision.looks) {
      const excused = (this.#lost.get(name) ?? 0) + inFlightAtKills.filter((names) => names.has(name)).length
      if (looks - 1 > excused) unexcused.push(`${name}: ${looks} calls, ${excused} answers lost`)
      extra += looks - 1
    }
    const maxInFlight = Math.max(0, ...inFlightAtKills.map(({ size }) => size))
    const requests = [...this.#asked.values()].reduce((sum, { length }) => sum + length, 0)
    return { needed: this.#vision.looks.size, extra, requests, unexcused, maxInFlight }
  }

  /** What a killed process had asked for and not on the disk; nothing of one that was not killed. */
  inFlightAtKill(accessKey: string): Set<string> {
    const recorded = this.#recordedAtKill.get(accessKey)
    const asked = recorded ? (this.#asked.get(accessKey) ?? []) : []
    return new Set(asked.filter((name) => !recorded?.has(keyOf(name))))
  }

  /** Rekognition calls of one process. */
  callsOf(accessKey: string): number {
    return this.#asked.get(accessKey)?.length ?? 0
  }

  #ask(request: AwsRequest): void {
    const name = lookOf(request)
    if (name === undefined) return
    const accessKey = request.accessKey ?? ''
    this.#asked.set(accessKey, [...(this.#asked.get(accessKey) ?? []), name])
  }

  #see(seen: SeenRequest): void {
    const name = lookOf(seen)
    if (name === undefined || seen.status !== 200 || seen.fault === undefined) return
    this.#lost.set(name, (this.#lost.get(name) ?? 0) + 1)
  }
}

function keyOf(name: string): string {
  return name.slice(name.indexOf(' ') + 1)
}
