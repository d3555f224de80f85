import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { toFault } from './errors.ts'
import { explainFault } from './explain.ts'
import { deadLetterQueueFor, planReceiveCount, planRetentionSeconds } from './queue-plan.ts'

export interface QueueWish {
  /** a queue's name or URL, as in the settings */
  readonly queue: string
  readonly maxAttempts: number
}

type Attributes = Readonly<Record<string, string>>
type Tell = (line: string) => void

const answerMilliseconds = 20_000

/**
 * Makes the queue and its dead-letter queue where they are missing. A queue that is there keeps its attributes:
 * where they differ from what would have been made, a line says so. Nothing is ever deleted.
 *
 * @throws {ImgpipeError} `rights` when that is not allowed, `unavailable` when SQS cannot be reached
 */
export async function makeQueues(sqs: SQSClient, wish: QueueWish, tell: Tell): Promise<void> {
  const name = queueName(wish.queue)
  const existing = await attributesOf(sqs, name)
  if (existing?.RedrivePolicy) {
    tell(`queue ${name}: is there already, and stays as it is`)
    tellDifferences(name, existing, wish, tell)
    return
  }
  const deadLetters = await deadLetterQueue(sqs, deadLetterQueueFor(name), tell)
  if (existing === undefined) {
    await makeMain(sqs, name, planReceiveCount(wish.maxAttempts), deadLetters, tell)
    return
  }
  tell(`queue ${name}: is there already, and stays as it is`)
  tellDifferences(name, existing, wish, tell)
  tell(`queue ${name}: puts nothing into ${deadLetterQueueFor(name)} until its redrive policy says so`)
}

/** @returns the name at the end of a queue's URL, or the name itself */
export function queueName(nameOrUrl: string): string {
  return nameOrUrl.slice(nameOrUrl.lastIndexOf('/') + 1)
}

/** @returns undefined when there is no such queue */
async function attributesOf(sqs: SQSClient, name: string): Promise<Attributes | undefined> {
  const what = `look at the queue "${name}"`
  try {
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }), timeLimit())
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })
    return (await sqs.send(command, timeLimit())).Attributes ?? {}
  } catch (error) {
    if (toFault(error).kind === 'missing') return undefined
    throw cannot(what, 'sqs:GetQueueUrl and sqs:GetQueueAttributes', error)
  }
}

/** @returns its ARN */
async function deadLetterQueue(sqs: SQSClient, name: string, tell: Tell): Promise<string> {
  const existing = await attributesOf(sqs, name)
  if (existing) tell(`queue ${name}: is there already, and stays as it is`)
  else await make(sqs, name, {})
  if (!existing) tell(`queue ${name}: made; keeps messages for ${days(planRetentionSeconds)}`)
  const { QueueArn } = existing ?? (await attributesOf(sqs, name)) ?? {}
  if (QueueArn === undefined)
    throw new ImgpipeError('unavailable', `SQS does not tell the ARN of the queue ${name}: try again.`)
  return QueueArn
}

async function makeMain(
  sqs: SQSClient,
  name: string,
  maxReceiveCount: number,
  deadLetterTargetArn: string,
  tell: Tell,
): Promise<void> {
  await make(sqs, name, { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount }) })
  const kept = `keeps messages for ${days(planRetentionSeconds)}`
  const aside = `to ${deadLetterQueueFor(name)} after ${maxReceiveCount} deliveries`
  tell(`queue ${name}: made; ${kept}; messages that nobody can handle go ${aside}`)
}

async function make(sqs: SQSClient, QueueName: string, attributes: Attributes): Promise<void> {
  const Attributes = {
    MessageRetentionPeriod: String(planRetentionSeconds),
    ...(QueueName.endsWith('.fifo') && { FifoQueue: 'true' }),
    ...attributes,
  }
  try {
    await sqs.send(new CreateQueueCommand({ QueueName, Attributes }), timeLimit())
  } catch (error) {
    const { code } = toFault(error)
    if (code.endsWith('QueueDeletedRecently')) {
      const message = `The queue "${QueueName}" was deleted less than a minute ago: try again in a minute.`
      throw new ImgpipeError('unavailable', message, { cause: error })
    }
    // SQS hides a queue from who may not see it.
    if (code === 'QueueNameExists') {
      const message = `The queue "${QueueName}" exists, and these credentials may not look at it: give them the right sqs:GetQueueUrl.`
      throw new ImgpipeError('rights', message, { cause: error })
    }
    throw cannot(`make the queue "${QueueName}"`, 'sqs:CreateQueue', error)
  }
}

function tellDifferences(name: string, existing: Attributes, { maxAttempts }: QueueWish, tell: Tell): void {
  const retention = Number(existing.MessageRetentionPeriod)
  if (retention !== planRetentionSeconds)
    tell(
      `queue ${name}: keeps messages for ${days(retention)}, where imgpipe would have ${days(planRetentionSeconds)}`,
    )
  const planned = planReceiveCount(maxAttempts)
  const receives = receiveCountOf(existing.RedrivePolicy)
  if (receives === undefined) tell(`queue ${name}: has no dead-letter queue, where imgpipe would have one`)
  else if (receives !== planned)
    tell(
      `queue ${name}: puts messages aside after ${receives} deliveries, where imgpipe would after ${planned}`,
    )
}

/** @returns maxReceiveCount of a RedrivePolicy; undefined without one */
export function receiveCountOf(redrivePolicy: string | undefined): number | undefined {
  if (!redrivePolicy) return undefined
  const { maxReceiveCount } = JSON.parse(redrivePolicy) as { maxReceiveCount?: number | string }
  return maxReceiveCount === undefined ? undefined : Number(maxReceiveCount)
}

/** `4 days`, `90 minutes`: of a retention, which is a minute at least */
export function days(seconds: number): string {
  const whole = Math.round(seconds / 86_400)
  if (seconds >= 86_400) return whole === 1 ? '1 day' : `${whole} days`
  return `${Math.round(seconds / 60)} minutes`
}

function cannot(what: string, rights: string, error: unknown): ImgpipeError {
  const missing = 'look at the setting "queue"'
  const { reason, wrong, remedy } = explainFault(toFault(error), { rights, missing })
  return new ImgpipeError(reason, `Cannot ${what}: ${wrong}; ${remedy}.`, { cause: error })
}

function timeLimit() {
  return { abortSignal: AbortSignal.timeout(answerMilliseconds) }
}
