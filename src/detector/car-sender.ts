import type { Queue } from '../aws/sqs.ts'
import { maxBatchEntries } from '../aws/sqs.ts'
import { Batcher } from '../flow/batcher.ts'
import { type RetryOptions, retryBatchUntilDone } from '../flow/retry.ts'
import type { OutgoingMessage } from '../protocol/messages.ts'
import { imageMessage } from '../protocol/messages.ts'
import type { StateDatabase } from '../state/database.ts'
import type { Car, DetectorRunRow, DetectorRuns } from '../state/detector-runs.ts'

/** The answer reaches the queue within 30 ms; at 100 cars a second this halves the requests. */
const lingerMs = 10
const maxBatchesInFlight = 4
/** More cars than this are read from the database when others have been sent. */
const maxUnconfirmed = 500

/**
 * Sends a run's cars. A car is committed before it is sent and marked when SQS has confirmed it; one that is not
 * marked is sent again by the next process, with the same number, which the reader knows.
 */
export class CarSender {
  readonly #database: StateDatabase
  readonly #runs: DetectorRuns
  readonly #row: DetectorRunRow
  readonly #batcher: Batcher<OutgoingMessage>
  #unconfirmed = 0
  #changed = Promise.withResolvers<void>()
  #failure: { error: unknown } | undefined

  constructor(parts: {
    database: StateDatabase
    runs: DetectorRuns
    row: DetectorRunRow
    queue: Queue
    retry: Omit<RetryOptions, 'what'>
  }) {
    const { queue, retry } = parts
    this.#database = parts.database
    this.#runs = parts.runs
    this.#row = parts.row
    const what = `send to the queue ${queue.url}`
    this.#batcher = new Batcher({
      maxItems: maxBatchEntries,
      maxInFlight: maxBatchesInFlight,
      lingerMs,
      send: (messages) => retryBatchUntilDone(messages, (rest) => queue.sendBatch(rest), { ...retry, what }),
    })
  }

  /** Sends a committed car in the background. */
  send(car: Car): void {
    this.#unconfirmed++
    this.#sendOne(car)
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#unconfirmed--
        this.#wake()
      })
  }

  /** Waits until another car may be sent without memory filling up. @throws what kept a car from being sent */
  async waitForRoom(): Promise<void> {
    while (this.#unconfirmed >= maxUnconfirmed && !this.#failure) await this.#changed.promise
    this.#throwIfFailed()
  }

  /** Sends what earlier processes have not, then waits until every car is confirmed. */
  async sendRest(): Promise<void> {
    await this.flush()
    for (let after = 0; ; ) {
      const cars = this.#runs.unsentAfter(this.#row.seq, after, maxUnconfirmed)
      for (const car of cars) {
        await this.waitForRoom()
        this.send(car)
        after = car.n
      }
      if (cars.length === 0) break
    }
    await this.flush()
  }

  /** Waits until every car that was given to `send` is confirmed and marked. */
  async flush(): Promise<void> {
    while (this.#unconfirmed > 0 && !this.#failure) await this.#changed.promise
    this.#throwIfFailed()
  }

  /** Sends a message that is no car, and waits until SQS has confirmed it. */
  async sendNow(message: OutgoingMessage): Promise<void> {
    await this.#batcher.add(message)
  }

  async #sendOne(car: Car): Promise<void> {
    const { run, seq, settings, fresh } = this.#row
    await this.#batcher.add(imageMessage({ run, bucket: settings.bucket, fresh, ...car }))
    await this.#database.commit(() => this.#runs.markSent(seq, [car.n], Date.now()))
  }

  #throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error
  }

  #wake(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }
}
