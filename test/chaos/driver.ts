import { setTimeout as delay } from 'node:timers/promises'
import type { TestCloud } from '../support/test-cloud.ts'
import type { WorkerProcess } from '../support/worker-process.ts'
import type { Accounts } from './accounts.ts'
import type { Act } from './plan.ts'

export interface Driven {
  /** begins the access keys of its processes: another one for each worker */
  readonly role: string
  readonly stateDir: string
  /** @param accessKey by which the requests of one process are told from all others */
  readonly start: (accessKey: string) => WorkerProcess
  /** asked when the worker has ended: whether it is not to be started again */
  readonly isOver: () => Promise<boolean>
}

/** A detector that was stopped before its run was done says so. */
const interrupted = 75

/** Keeps a worker going, as a service manager would, while one act after the other befalls it. */
export class Driver {
  readonly #cloud: TestCloud
  readonly #accounts: Accounts
  readonly #driven: Driven
  readonly logs: string[] = []
  worker: WorkerProcess
  #starts = 0
  #isRetired = false

  constructor(cloud: TestCloud, accounts: Accounts, driven: Driven) {
    this.#cloud = cloud
    this.#accounts = accounts
    this.#driven = driven
    this.worker = this.#start()
  }

  /**
   * @param end no more acts from then on
   * @returns when all acts are over, or the work is. @throws when the worker ends with an error
   */
  async perform(acts: readonly Act[], end: AbortSignal): Promise<void> {
    for (const act of acts) {
      const isReached = await this.#reached(act.afterRequests, end)
      if (end.aborted || !(await this.#keepGoing())) return
      if (isReached) await this.#befall(act)
    }
  }

  /** @returns when the work is over: the worker has ended and need not be started again */
  async finished(): Promise<void> {
    for (;;) {
      await this.worker.exited
      if (!(await this.#keepGoing())) return
    }
  }

  /** Kills the worker, for good. */
  async retire(): Promise<void> {
    this.#isRetired = true
    await this.worker.kill()
  }

  /** All that the worker's processes have said. */
  get log(): string {
    return [...this.logs, this.worker.log].join('--- and again\n')
  }

  get #accessKey(): string {
    return `${this.#driven.role}${this.#starts}`
  }

  #start(): WorkerProcess {
    this.#starts++
    return this.#driven.start(this.#accessKey)
  }

  /** @returns false when the worker ended first, or the work is over */
  async #reached(requests: number, end: AbortSignal): Promise<boolean> {
    // It may have ended while the last act befell the worker; its event has passed then.
    if (end.aborted) return false
    const given = new AbortController()
    const accessKey = this.#accessKey
    const mine = (request: { accessKey: string | undefined }) => request.accessKey === accessKey
    const ended = new Promise<boolean>((resolve) => end.addEventListener('abort', () => resolve(false)))
    try {
      return await Promise.race([
        this.#cloud.proxy.arrivals(requests, mine, given.signal).then(() => true),
        this.worker.exited.then(() => false),
        ended,
      ])
    } finally {
      given.abort()
    }
  }

  async #befall({ kind, milliseconds }: Act): Promise<void> {
    if (kind === 'pause') {
      this.worker.signal('SIGSTOP')
      await delay(milliseconds)
      this.worker.signal('SIGCONT')
      return
    }
    await (kind === 'kill' ? this.worker.kill() : this.worker.stop())
    await this.#keepGoing()
  }

  /** Starts a worker that has ended anew, unless its work is over. @returns whether one is running */
  async #keepGoing(): Promise<boolean> {
    const { exit, log } = this.worker
    if (this.#isRetired) return false
    if (exit === undefined) return true
    if (exit.signal === 'SIGKILL') this.#accounts.killed(this.#accessKey, this.#driven.stateDir)
    else if (exit.code !== 0 && exit.code !== interrupted)
      throw new Error(`imgpipe ended with ${exit.code ?? exit.signal}:\n${log}`)
    if ((await this.#driven.isOver()) || this.#isRetired) return false
    this.logs.push(log)
    this.worker = this.#start()
    return true
  }
}
