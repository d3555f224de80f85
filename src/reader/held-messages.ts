import type { Message } from '@aws-sdk/client-sqs'
import { toFault } from '../aws/errors.ts'
import type { Queue } from '../aws/queue.ts'
import type { Troubles } from '../aws/troubles.ts'

/**
 * The messages this reader has received and not yet deleted. While it works they are kept invisible to
 * others; when it stops, those without an outcome are made visible at once; when it is killed, they become so
 * by themselves after `visibilitySeconds`.
 */
export class HeldMessages {
  readonly #queue: Queue
  readonly #troubles: Troubles
  readonly #visibilitySeconds: number
  /** receipt handle → when its visibility was last set, on the monotonic clock */
  readonly #held = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  #extending = Promise.resolve()

  constructor(queue: Queue, troubles: Troubles, visibilitySeconds: number) {
    this.#queue = queue
    this.#troubles = troubles
    this.#visibilitySeconds = visibilitySeconds
    this.#timer = setInterval(
      () => {
        this.#extending = this.#extend()
      },
      (visibilitySeconds * 1000) / 6,
    )
  }

  add({ ReceiptHandle }: Message): void {
    if (ReceiptHandle) this.#held.set(ReceiptHandle, performance.now())
  }

  /** Lets a message go its own way: it becomes visible when its time is over. */
  forget({ ReceiptHandle }: Message): void {
    if (ReceiptHandle) this.#held.delete(ReceiptHandle)
  }

  /** Only for a message whose outcome is on the disk. @returns when SQS has deleted it */
  async delete(message: Message): Promise<void> {
    if (message.ReceiptHandle) await this.#queue.delete(message.ReceiptHandle)
    this.forget(message)
  }

  /** Stops extending and makes what is still held visible to others at once, as far as the queue answers. */
  async giveBack(): Promise<void> {
    clearInterval(this.#timer)
    // An extension that arrived after it would hide the messages again.
    await this.#extending
    const handles = [...this.#held.keys()]
    this.#held.clear()
    await this.#queue.changeVisibility(handles, 0).catch(() => undefined)
  }

  async #extend(): Promise<void> {
    const now = performance.now()
    const due = [...this.#held].filter(([, since]) => now - since >= (this.#visibilitySeconds * 1000) / 3)
    // Nothing was asked of the queue, so nothing works again.
    if (due.length === 0) return
    for (const [handle] of due) this.#held.set(handle, now)
    const what = 'keep messages invisible'
    try {
      await this.#queue.changeVisibility(
        due.map(([handle]) => handle),
        this.#visibilitySeconds,
      )
      this.#troubles.over(what)
    } catch (error) {
      this.#troubles.of(what, toFault(error))
    }
  }
}
