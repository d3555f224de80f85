import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  ReceiveMessageCommand,
  type ReceiveMessageCommandOutput,
  SendMessageBatchCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { withDeadline } from '../host/shutdown.ts'
import type { OutgoingMessage } from '../protocol/messages.ts'
import { requestDeadlineMs } from './clients.ts'
import { AwsError, incompleteAnswer, toFailure } from './errors.ts'
import { bufferBody } from './response-body.ts'
import { type BatchAnswer, type RejectedEntry, rejectedEntries } from './sqs-batch.ts'

/** SQS takes so many entries in a batch and gives so many messages in a receive. */
export const maxBatchEntries = 10

export type { RejectedEntry }

export interface ReceivedMessages {
  readonly messages: readonly Message[]
  /** SQS itself answered; an empty answer that is not confirmed says nothing about the queue */
  readonly confirmed: boolean
}

/** Undefined where it may not be known: sqs:GetQueueAttributes is no permission that the workers need. */
export interface QueueAttributes {
  /** ms since 1970, rounded up: SQS counts whole seconds */
  readonly createdAt: number | undefined
  readonly visibilitySeconds: number | undefined
  readonly waiting: number | undefined
  readonly inFlight: number | undefined
}

/**
 * One SQS queue, standard or FIFO. Every method makes one attempt and throws `AwsError`, or `ShutdownError` when a forced
 * shutdown aborts it; batches are at most `maxBatchEntries` long.
 */
export class Queue {
  readonly url: string
  readonly #sqs: SQSClient
  readonly #forced: AbortSignal

  /** @throws {AwsError} `missing` when there is no such queue, `settings` when its URL is of another region */
  static async open(sqs: SQSClient, nameOrUrl: string, forced: AbortSignal = neverAborted): Promise<Queue> {
    if (/^https?:/.test(nameOrUrl)) {
      const queue = new Queue(sqs, nameOrUrl, forced)
      await queue.attributes()
      return queue
    }
    const command = new GetQueueUrlCommand({ QueueName: nameOrUrl })
    const { QueueUrl } = await request('GetQueueUrl', forced, (abortSignal) =>
      sqs.send(command, { abortSignal }),
    )
    if (QueueUrl === undefined)
      throw incompleteAnswer(contextOf('GetQueueUrl'), 'the answer has no queue URL')
    return new Queue(sqs, QueueUrl, forced)
  }

  private constructor(sqs: SQSClient, url: string, forced: AbortSignal) {
    this.url = url
    this.#sqs = sqs
    this.#forced = forced
  }

  get isFifo(): boolean {
    return this.url.endsWith('.fifo')
  }

  /** @returns the messages that SQS did not take. @throws also when it took none, all for one and the same cause */
  async sendBatch(messages: readonly OutgoingMessage[]): Promise<RejectedEntry[]> {
    const Entries = messages.map((message, index) => this.#entry(message, String(index)))
    const command = new SendMessageBatchCommand({ QueueUrl: this.url, Entries })
    return this.#batch('SendMessageBatch', messages.length, (options) => this.#sqs.send(command, options))
  }

  /** Long poll. @param query.signal aborts it, in place of a forced shutdown */
  async receive(query: {
    max: number
    waitSeconds: number
    visibilitySeconds: number
    signal?: AbortSignal
  }): Promise<ReceivedMessages> {
    const command = new ReceiveMessageCommand({
      QueueUrl: this.url,
      MaxNumberOfMessages: Math.min(query.max, maxBatchEntries),
      WaitTimeSeconds: query.waitSeconds,
      VisibilityTimeout: query.visibilitySeconds,
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['SentTimestamp', 'ApproximateReceiveCount'],
    })
    // An answer of SQS has a body, be it `{}`; to the SDK an empty one, and any other JSON, is the same.
    let isOfSqs = false
    command.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        isOfSqs = isReceiveAnswer(await bufferBody(result.response))
        return result
      },
      { step: 'deserialize', priority: 'low', name: 'imgpipeReceiveAnswer' },
    )
    const signal = query.signal ?? this.#forced
    const send = (abortSignal: AbortSignal): Promise<ReceiveMessageCommandOutput> =>
      this.#sqs.send(command, { abortSignal })
    const { Messages = [], $metadata } = await request('ReceiveMessage', signal, send)
    return {
      messages: Messages,
      confirmed: Messages.length > 0 || isOfSqs || $metadata.requestId !== undefined,
    }
  }

  /** @returns the messages that are not deleted; one with `isSenderFault` has a handle that is too old: it comes again */
  async deleteBatch(receiptHandles: readonly string[]): Promise<RejectedEntry[]> {
    const Entries = receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }))
    const command = new DeleteMessageBatchCommand({ QueueUrl: this.url, Entries })
    return this.#batch('DeleteMessageBatch', Entries.length, (options) => this.#sqs.send(command, options))
  }

  /**
   * @param seconds from now; 0 = release
   * @param signal instead of that of a forced shutdown, after which messages are still released
   * @returns the messages whose visibility timeout is unchanged
   */
  async changeVisibilityBatch(
    receiptHandles: readonly string[],
    seconds: number,
    signal: AbortSignal = this.#forced,
  ): Promise<RejectedEntry[]> {
    const Entries = receiptHandles.map((ReceiptHandle, index) => {
      return { Id: String(index), ReceiptHandle, VisibilityTimeout: seconds }
    })
    const command = new ChangeMessageVisibilityBatchCommand({ QueueUrl: this.url, Entries })
    const send = (options: { abortSignal: AbortSignal }) => this.#sqs.send(command, options)
    return this.#batch('ChangeMessageVisibilityBatch', Entries.length, send, signal)
  }

  async attributes(): Promise<QueueAttributes> {
    const command = new GetQueueAttributesCommand({ QueueUrl: this.url, AttributeNames: ['All'] })
    const send = (abortSignal: AbortSignal) => this.#sqs.send(command, { abortSignal })
    try {
      const { Attributes } = await request('GetQueueAttributes', this.#forced, send)
      if (!Attributes) throw incompleteAnswer(contextOf('GetQueueAttributes'), 'the answer has no attributes')
      return parsedAttributes(Attributes)
    } catch (error) {
      if (!(error instanceof AwsError) || error.kind !== 'denied') throw error
      return parsedAttributes({})
    }
  }

  #entry({ body, attributes, run, name }: OutgoingMessage, Id: string) {
    const entry = { Id, MessageBody: body, MessageAttributes: attributes }
    if (!this.isFifo) return entry
    // Of run and name, never of the body: a rerun within five minutes would be swallowed without an error. A group per
    // message, because order is not needed and a group waits for its message in flight.
    const id = `${run}/${name}`
    return { ...entry, MessageGroupId: id, MessageDeduplicationId: id }
  }

  async #batch(
    operation: string,
    count: number,
    send: (options: { abortSignal: AbortSignal }) => Promise<BatchAnswer>,
    signal = this.#forced,
  ): Promise<RejectedEntry[]> {
    const answer = await request(operation, signal, (abortSignal) => send({ abortSignal }))
    return rejectedEntries(operation, count, answer)
  }
}

const neverAborted = new AbortController().signal

/** Whether a body is what SQS answers to a receive: an object with messages, or without anything. */
function isReceiveAnswer(body: Buffer | undefined): boolean {
  try {
    const value: unknown = JSON.parse(String(body))
    return (
      typeof value === 'object' && value !== null && Object.keys(value).every((key) => key === 'Messages')
    )
  } catch {
    return false
  }
}

function contextOf(operation: string) {
  return { service: 'sqs', operation } as const
}

async function request<T>(
  operation: string,
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  try {
    return await withDeadline(requestDeadlineMs(0), signal, send)
  } catch (error) {
    throw toFailure(error, { ...contextOf(operation), forced: signal })
  }
}

function parsedAttributes(attributes: Readonly<Record<string, string>>): QueueAttributes {
  const number = (name: string) => {
    const value = attributes[name]
    return value === undefined || !/^\d+$/.test(value) ? undefined : Number(value)
  }
  const createdSeconds = number('CreatedTimestamp')
  return {
    createdAt: createdSeconds === undefined ? undefined : (createdSeconds + 1) * 1000,
    visibilitySeconds: number('VisibilityTimeout'),
    waiting: number('ApproximateNumberOfMessages'),
    inFlight: number('ApproximateNumberOfMessagesNotVisible'),
  }
}
