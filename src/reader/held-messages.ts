import type { Message } from '@aws-sdk/client-sqs'
import { maxBatchEntries, type Queue } from '../aws/sqs.ts'
import { Batcher } from '../flow/batcher.ts'
import { Failure } from '../flow/failure.ts'
import type { OutageLog } from '../flow/outage-log.ts'
import { type RetryOptions, retryBatchUntilDone } from '../flow/retry.ts'

/** Nobody waits for a delete, and ten cost as much as one. */
const deleteLingerMs = 100
const maxDeletesInFlight = 4
const maxExtensionsInFlight = 8
/** A forced shutdown too releases what is held, if the queue answers within this time. */
const releaseMs = 5_000

export interface HeldMessagesParts {
  readonly queue: Queue
  readonly visibilitySeconds: number
  readonly outages: OutageLog
  readonly retry: Omit<RetryOptions, 'what'>
}

/**
 * The messages that this reader has received and not deleted. While it works, a heartbeat extends their visibility
 * timeout; when it stops, those without an outcome are released; when it is killed, they become visible by themselves
 * after `visibilitySeconds`.
 */
export class HeldMessages {
  readonly #parts: HeldMessagesParts
  readonly #deletes: Batcher<string>
  /** receipt handle → when its visibility was last set, on the monotonic clock */
  readonly #held = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #extending: Promise<void> | undefined

  constructor(parts: HeldMessagesParts) {
    const { queue, visibilitySeconds, retry } = parts
    this.#parts = parts
    const what = `delete from the queue ${queue.url}`
    this.#deletes = new Batcher({
      maxItems: maxBatchEntries,
      maxInFlight: maxDeletesInFlight,
      lingerMs: deleteLingerMs,
      send: (handles) => retryBatchUntilDone(handles, (rest) => this.#deleteBatch(rest), { ...retry, what }),
    })
    this.#timer = setInterval(() => this.#heartbeat(), (visibilitySeconds * 1000) / 6)
  }

  add({ ReceiptHandle }: Message): void {
    if (ReceiptHandle) this.#held.set(ReceiptHandle, performance.now())
  }

  /** Lets a message become visible when its time is over. */
  untrack({ ReceiptHandle }: Message): void {
    if (ReceiptHandle) this.#held.delete(ReceiptHandle)
  }

  /** Only for a message whose outcome is durable. @returns when SQS has deleted it */
  async delete(message: Message): Promise<void> {
    if (message.ReceiptHandle) await this.#deletes.add(message.ReceiptHandle)
    this.untrack(message)
  }

  /** Ends the heartbeat and makes what is still held visible to others at once, as far as the queue answers. */
  async release(): Promise<void> {
    clearInterval(this.#timer)
    // An extension that arrived after the release would hide the messages again.
    await this.#extending
    const handles = [...this.#held.keys()]
    this.#held.clear()
    await this.#changeVisibility(handles, 0, AbortSignal.timeout(releaseMs))
  }

  /** Rounds never overlap: of two extensions of one message the later answer would not be the later request. */
  #heartbeat(): void {
    this.#extending ??= this.#extend().finally(() => {
      this.#extending = undefined
    })
  }

  async #extend(): Promise<void> {
    const { visibilitySeconds } = this.#parts
    const now = performance.now()
    const due = [...this.#held].flatMap(([handle, since]) =>
      now - since >= (visibilitySeconds * 1000) / 3 ? [handle] : [],
    )
    await this.#changeVisibility(due, visibilitySeconds)
  }

  /** Tries once; a message whose visibility cannot be changed is tried again with the next heartbeat. */
  async #changeVisibility(handles: readonly string[], seconds: number, signal?: AbortSignal): Promise<void> {
    const batches: (readonly string[])[] = []
    for (let first = 0; first < handles.length; first += maxBatchEntries) {
      batches.push(handles.slice(first, first + maxBatchEntries))
    }
    const worker = async () => {
      for (let batch = batches.shift(); batch; batch = batches.shift())
        await this.#changeBatch(batch, seconds, signal)
    }
    await Promise.all(Array.from({ length: maxExtensionsInFlight }, worker))
  }

  async #changeBatch(
    handles: readonly string[],
    seconds: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { queue, outages } = this.#parts
    const what = 'extend the visibility timeout of messages'
    const now = performance.now()
    try {
      const rejected = await queue.changeVisibilityBatch(handles, seconds, signal)
      const failed = new Map(rejected.map(({ index, isSenderFault }) => [index, isSenderFault]))
      for (const [index, handle] of handles.entries()) {
        const isSenderFault = failed.get(index)
        // SQS knows the handle no more: the message comes again, or was deleted.
        if (isSenderFault === true) this.#held.delete(handle)
        else if (isSenderFault === undefined && this.#held.has(handle)) this.#held.set(handle, now)
      }
      outages.succeeded(what)
    } catch (error) {
      if (!(error instanceof Failure)) return
      outages.report(what, error)
    }
  }

  /** A handle that has grown too old is not retried: its message comes again and is known. */
  async #deleteBatch(handles: readonly string[]) {
    const rejected = await this.#parts.queue.deleteBatch(handles)
    return rejected.filter(({ isSenderFault }) => !isSenderFault)
  }
}
