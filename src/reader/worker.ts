import type { Message } from '@aws-sdk/client-sqs'
import { maxBatchEntries, type Queue } from '../aws/sqs.ts'
import { Failure } from '../flow/failure.ts'
import { type RetryOptions, retryUntilSuccess } from '../flow/retry.ts'
import { TaskPool } from '../flow/task-pool.ts'
import type { ServiceManager } from '../host/service-manager.ts'
import { ShutdownError, type ShutdownSignals, sleep } from '../host/shutdown.ts'
import type { StateDatabase } from '../state/database.ts'
import type { ForeignRuns } from './foreign-runs.ts'
import type { HeldMessages } from './held-messages.ts'
import type { IdleRuns } from './idle-runs.ts'
import type { MessageHandler } from './message-handler.ts'
import type { RunCoordinator } from './run-coordinator.ts'

export interface ReaderWorkerParts {
  readonly database: StateDatabase
  readonly queue: Queue
  readonly pool: TaskPool
  readonly held: HeldMessages
  readonly handler: MessageHandler
  readonly coordinator: RunCoordinator
  readonly foreign: ForeignRuns | undefined
  readonly idleRuns: IdleRuns
  readonly visibilitySeconds: number
  readonly waitSeconds: number
  readonly manager: ServiceManager
  readonly shutdown: ShutdownSignals
  readonly retry: Omit<RetryOptions, 'what'>
}

const slotWaitMs = 10_000
const gatherMs = 100

/**
 * Worker B's loop: wait for a slot, receive, hand each message to a task. The loop itself pings the watchdog whatever it
 * waits for, so that a reader that hangs is ended, and one that waits for a service is not.
 */
export class ReaderWorker {
  readonly #parts: ReaderWorkerParts
  /** messages that end runs wait outside the slots: with several readers for hours */
  readonly #ends = new TaskPool(() => Number.POSITIVE_INFINITY)
  /** an empty write behind all others: while it is not done, what was received before waits for a full disk */
  readonly #barrier = new TaskPool(() => 1)
  #hasReceived = false
  #wasFull = true

  constructor(parts: ReaderWorkerParts) {
    this.#parts = parts
  }

  /** Works until the shutdown. @throws {ImgpipeError} when a person has to act */
  async run(): Promise<void> {
    const { shutdown, held, pool, coordinator } = this.#parts
    try {
      while (!shutdown.graceful.aborted) await this.#round()
    } catch (error) {
      if (!(error instanceof ShutdownError)) {
        // Tasks that wait for a service must not keep the error from being reported.
        shutdown.request()
        throw error
      }
    } finally {
      await this.#settle(() => pool.waitUntilIdle(Number.POSITIVE_INFINITY))
      await this.#settle(() => this.#ends.waitUntilIdle(Number.POSITIVE_INFINITY))
      await this.#settle(() => this.#barrier.waitUntilIdle(Number.POSITIVE_INFINITY))
      await this.#settle(() => coordinator.finish(Number.POSITIVE_INFINITY))
      await held.release()
    }
    this.#throwIfFailed()
  }

  /** @throws what has gone wrong in a task; that one was given up by the shutdown is no error */
  #throwIfFailed(): void {
    const { pool, coordinator } = this.#parts
    for (const tasks of [pool, this.#ends, coordinator]) {
      try {
        tasks.throwIfFailed()
      } catch (error) {
        if (!(error instanceof ShutdownError)) throw error
      }
    }
  }

  /** The error that ended the loop is the one to report. */
  async #settle(work: () => Promise<unknown>): Promise<void> {
    await work().catch(() => undefined)
  }

  async #round(): Promise<void> {
    const { database, manager, pool, coordinator, foreign, shutdown, idleRuns } = this.#parts
    manager.alive()
    this.#throwIfFailed()
    // On a full disk no more messages are taken.
    if (!(await this.#barrier.waitForSlot(slotWaitMs))) return
    this.#barrier.start(() => database.commit(() => undefined))
    if (!(await pool.waitForSlot(slotWaitMs))) return
    if (pool.size > 0 && !this.#wasFull) await sleep(gatherMs, shutdown.graceful)
    const messages = await this.#receive()
    for (const message of messages) this.#start(message)
    if (messages.length > 0 || pool.size > 0) return idleRuns.disturbed()
    const ended = foreign?.ended()
    if (ended) await coordinator.recordEnd(ended.run, ended.end)
    idleRuns.check()
  }

  /** While tasks are running, others may come soon: ten messages cost as much as one. */
  #start(message: Message): void {
    const { held, handler, pool } = this.#parts
    held.add(message)
    const tasks = handler.isEnd(message) ? this.#ends : pool
    tasks.start(() => handler.handle(message))
  }

  /**
   * One long poll. A graceful shutdown does not abort it: SQS would go on and deliver its messages to nobody. The first
   * one returns at once and only shows that the queue answers, so that `systemctl start` need not wait for a message.
   */
  async #receive(): Promise<readonly Message[]> {
    const { queue, manager, pool, retry, shutdown, visibilitySeconds, waitSeconds } = this.#parts
    const max = Math.max(1, Math.min(maxBatchEntries, pool.availableSlots))
    const request = {
      max,
      waitSeconds: this.#hasReceived ? waitSeconds : 0,
      visibilitySeconds,
      signal: shutdown.forced,
    }
    const receive = async () => {
      try {
        return await queue.receive(request)
      } catch (error) {
        if (error instanceof Failure) this.#disturbed()
        throw error
      }
    }
    const options = {
      ...retry,
      what: `receive from the queue ${queue.url}`,
      onAttempt: () => manager.alive(),
    }
    const { messages, confirmed } = await retryUntilSuccess(receive, options)
    if (!confirmed) this.#disturbed()
    manager.ready()
    this.#hasReceived = true
    this.#wasFull = messages.length === max
    return messages
  }

  /** A receive that fails, or is answered by nobody knows whom, may have taken messages along. */
  #disturbed(): void {
    const { foreign, idleRuns } = this.#parts
    foreign?.disturbed()
    idleRuns.disturbed()
  }
}
