import { createHash } from 'node:crypto'
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { Batches } from '../daemon/batches.ts'
import { pause, type StopSignals } from '../daemon/stop-signal.ts'
import type { OutgoingMessage } from '../protocol/messages.ts'
import { Fault, toFault } from './errors.ts'
import { pauseMilliseconds, untilItWorks } from './retry.ts'
import type { Troubles } from './troubles.ts'

/** SQS takes so many entries in a batch and gives so many messages in a receive. */
export const mostPerRequest = 10
const visibilityMilliseconds = 5000
/** Under 30 ms from answer to queue is promised; at 100 cars a second this halves the requests. */
const sendLingerMilliseconds = 10
/** Nobody waits for a delete, and ten cost as much as one. */
const deleteLingerMilliseconds = 100

export interface QueueOptions {
  readonly troubles: Troubles
  readonly stop: StopSignals
  readonly giveUpMilliseconds?: number | undefined
}

/** One SQS queue, standard or FIFO. Sends, deletes and visibility changes gather into batches by themselves. */
export class Queue {
  readonly url: string
  readonly #sqs: SQSClient
  readonly #options: QueueOptions
  readonly #sends: Batches<OutgoingMessage>
  readonly #deletes: Batches<string>

  /** @throws {ImgpipeError} when the queue does not exist or may not be used */
  static async open(sqs: SQSClient, nameOrUrl: string, options: QueueOptions): Promise<Queue> {
    if (/^https?:/.test(nameOrUrl)) return new Queue(sqs, nameOrUrl, options)
    const what = `find the queue "${nameOrUrl}"`
    const answer = await untilItWorks(() => sqs.send(new GetQueueUrlCommand({ QueueName: nameOrUrl })), {
      what,
      troubles: options.troubles,
      signal: options.stop.soft,
      giveUpMilliseconds: options.giveUpMilliseconds,
    })
    if (!answer.QueueUrl) throw new Fault('missing', 'QueueDoesNotExist', `no queue "${nameOrUrl}"`)
    return new Queue(sqs, answer.QueueUrl, options)
  }

  constructor(sqs: SQSClient, url: string, options: QueueOptions) {
    this.url = url
    this.#sqs = sqs
    this.#options = options
    this.#sends = new Batches({
      maxItems: mostPerRequest,
      maxInFlight: 4,
      lingerMilliseconds: sendLingerMilliseconds,
      send: (items) => this.#persistBatch('send to the queue', items, (rest) => this.#sendOnce(rest)),
    })
    this.#deletes = new Batches({
      maxItems: mostPerRequest,
      maxInFlight: 2,
      lingerMilliseconds: deleteLingerMilliseconds,
      send: (items) => this.#persistBatch('delete from the queue', items, (rest) => this.#deleteOnce(rest)),
    })
  }

  get isFifo(): boolean {
    return this.url.endsWith('.fifo')
  }

  /** @returns when SQS has confirmed the message; tries until it does */
  send(message: OutgoingMessage): Promise<void> {
    return this.#sends.add(message)
  }

  /** Long poll. @throws {Fault} */
  async receive(request: {
    most: number
    waitSeconds: number
    visibilitySeconds: number
  }): Promise<Message[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.url,
      MaxNumberOfMessages: Math.min(request.most, mostPerRequest),
      WaitTimeSeconds: request.waitSeconds,
      VisibilityTimeout: request.visibilitySeconds,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount'],
    })
    const answer = await this.#sqs.send(command, { abortSignal: this.#options.stop.hard })
    return answer.Messages ?? []
  }

  /** @returns when the message is deleted; a handle that has grown too old is let go: its message comes again */
  delete(receiptHandle: string): Promise<void> {
    return this.#deletes.add(receiptHandle)
  }

  /**
   * Tries once, in batches; a message whose visibility cannot be changed just comes again when its time is over.
   * @throws {Error} the SDK's, when a whole batch fails
   */
  async changeVisibility(receiptHandles: readonly string[], visibilitySeconds: number): Promise<void> {
    for (let first = 0; first < receiptHandles.length; first += mostPerRequest) {
      const Entries = receiptHandles.slice(first, first + mostPerRequest).map((ReceiptHandle, place) => ({
        Id: String(place),
        ReceiptHandle,
        VisibilityTimeout: visibilitySeconds,
      }))
      const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: this.url, Entries })
      // Not cut by a hard stop: giving messages back is the last thing that a stopping reader does.
      await this.#sqs.send(command, { abortSignal: AbortSignal.timeout(visibilityMilliseconds) })
    }
  }

  /** @returns the queue's own visibility timeout in seconds; undefined when we may not know it */
  visibilitySeconds(): Promise<number | undefined> {
    return this.#attribute('VisibilityTimeout')
  }

  /** @returns ms since 1970 until which the queue was made, for SQS tells whole seconds; undefined when we may not know */
  async createdAt(): Promise<number | undefined> {
    const seconds = await this.#attribute('CreatedTimestamp')
    return seconds && (seconds + 1) * 1000
  }

  async #attribute(name: 'VisibilityTimeout' | 'CreatedTimestamp'): Promise<number | undefined> {
    const command = new GetQueueAttributesCommand({ QueueUrl: this.url, AttributeNames: [name] })
    try {
      const { Attributes } = await this.#persist('look at the queue', () => this.#sqs.send(command))
      return Number(Attributes?.[name]) || undefined
    } catch (error) {
      if (error instanceof Error && error.cause instanceof Fault && error.cause.kind === 'denied')
        return undefined
      throw error
    }
  }

  /** @returns what SQS did not take this time. @throws {Fault} when it took none of it */
  async #sendOnce(messages: OutgoingMessage[]): Promise<OutgoingMessage[]> {
    const Entries = messages.map((message, place) => this.#entry(message, String(place)))
    const command = new SendMessageBatchCommand({ QueueUrl: this.url, Entries })
    const { Failed = [] } = await this.#sqs.send(command, { abortSignal: this.#options.stop.hard })
    const [first] = Failed
    if (first && Failed.length === messages.length) {
      throw toFault(Object.assign(new Error(first.Message), { name: first.Code ?? 'Unknown' }))
    }
    return Failed.flatMap(({ Id }) => messages[Number(Id)] ?? [])
  }

  #entry({ body, attributes, run, name }: OutgoingMessage, Id: string) {
    const entry = { Id, MessageBody: body, MessageAttributes: attributes }
    if (!this.isFifo) return entry
    // Of run and number, never of the body: a rerun within five minutes would be swallowed without an error.
    const MessageDeduplicationId = createHash('sha256').update(`${run} ${name}`).digest('hex')
    return { ...entry, MessageGroupId: run, MessageDeduplicationId }
  }

  /** @returns what was not deleted for no fault of its handle */
  async #deleteOnce(receiptHandles: string[]): Promise<string[]> {
    const Entries = receiptHandles.map((ReceiptHandle, place) => ({ Id: String(place), ReceiptHandle }))
    const command = new DeleteMessageBatchCommand({ QueueUrl: this.url, Entries })
    const { Failed = [] } = await this.#sqs.send(command, { abortSignal: this.#options.stop.hard })
    return Failed.flatMap(({ Id, SenderFault }) => (SenderFault ? [] : (receiptHandles[Number(Id)] ?? [])))
  }

  /** A batch that SQS takes in part goes on with the rest. @param once returns what is still to be done */
  async #persistBatch<Item>(
    what: string,
    items: Item[],
    once: (items: Item[]) => Promise<Item[]>,
  ): Promise<undefined> {
    let rest = items
    for (let failures = 0; rest.length > 0; failures++) {
      if (failures > 0) await pause(pauseMilliseconds(failures, Math.random), this.#options.stop.hard)
      rest = await this.#persist(what, () => once(rest))
    }
  }

  #persist<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    const { troubles, stop, giveUpMilliseconds } = this.#options
    return untilItWorks(attempt, {
      what: `${what} ${this.url}`,
      troubles,
      signal: stop.hard,
      giveUpMilliseconds,
    })
  }
}
