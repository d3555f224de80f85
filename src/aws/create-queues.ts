import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { ImgpipeError } from '../host/exit-codes.ts'
import { AwsError, toFailure } from './errors.ts'
import { explainFailure } from './explain.ts'

export interface QueueSettings {
  /** the queue's name or URL */
  readonly queue: string
  readonly maxAttempts: number
}

type Attributes = Readonly<Record<string, string>>
type Report = (line: string) => void

/** SQS's longest retention, in seconds: a reader that is started days later still finds its messages. */
export const defaultRetentionSeconds = 14 * 24 * 3600
/** SQS takes no greater maxReceiveCount (SetQueueAttributes, RedrivePolicy). */
const maxReceiveCount = 1000
const requestMs = 20_000

/** @returns the name of the dead-letter queue that imgpipe creates beside a queue; that of a FIFO queue must be one too */
export function deadLetterQueueName(queue: string): string {
  return queue.endsWith('.fifo') ? `${queue.slice(0, -'.fifo'.length)}-dlq.fifo` : `${queue}-dlq`
}

/**
 * Receives after which SQS moves a message to the dead-letter queue. Receives are not attempts: a message is received again
 * after each crash, shutdown and outage too, so this is far above `maxAttempts`, and only what is not ours should end there.
 */
export function defaultReceiveCount(maxAttempts: number): number {
  return Math.min(maxReceiveCount, Math.max(100, 20 * maxAttempts))
}

/**
 * Creates the queue and its dead-letter queue if they do not exist. An existing queue keeps its attributes: where they differ
 * from the defaults, a line says so. Nothing is ever deleted.
 *
 * @throws {ImgpipeError} `permission` when that is not allowed, `unavailable` when SQS cannot be reached
 */
export async function createQueues(sqs: SQSClient, settings: QueueSettings, report: Report): Promise<void> {
  const name = queueName(settings.queue)
  const existing = await attributesOf(sqs, name)
  if (existing?.RedrivePolicy) {
    report(`queue ${name}: already exists, unchanged`)
    reportDifferences(name, existing, settings, report)
    return
  }
  const deadLetterArn = await createDeadLetterQueue(sqs, deadLetterQueueName(name), report)
  if (existing === undefined) {
    await createMainQueue(sqs, name, defaultReceiveCount(settings.maxAttempts), deadLetterArn, report)
    return
  }
  report(`queue ${name}: already exists, unchanged`)
  reportDifferences(name, existing, settings, report)
  report(`queue ${name}: set its RedrivePolicy to use ${deadLetterQueueName(name)}`)
}

/** @returns the name at the end of a queue's URL, or the name itself */
export function queueName(nameOrUrl: string): string {
  return nameOrUrl.slice(nameOrUrl.lastIndexOf('/') + 1)
}

/** @returns undefined when there is no such queue */
async function attributesOf(sqs: SQSClient, name: string): Promise<Attributes | undefined> {
  try {
    const find = new GetQueueUrlCommand({ QueueName: name })
    const { QueueUrl } = await request('GetQueueUrl', (options) => sqs.send(find, options))
    const read = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })
    return (await request('GetQueueAttributes', (options) => sqs.send(read, options))).Attributes ?? {}
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    if (error.kind === 'missing') return undefined
    throw cannot(`look up the queue "${name}"`, 'sqs:GetQueueUrl and sqs:GetQueueAttributes', error)
  }
}

/** @returns its ARN */
async function createDeadLetterQueue(sqs: SQSClient, name: string, report: Report): Promise<string> {
  const existing = await attributesOf(sqs, name)
  if (existing) report(`queue ${name}: already exists, unchanged`)
  else await create(sqs, name, {})
  if (!existing)
    report(`queue ${name}: created, retains messages for ${formatRetention(defaultRetentionSeconds)}`)
  const { QueueArn } = existing ?? (await attributesOf(sqs, name)) ?? {}
  if (QueueArn === undefined) {
    throw new ImgpipeError('unavailable', `SQS did not return the ARN of the queue "${name}": try again.`)
  }
  return QueueArn
}

async function createMainQueue(
  sqs: SQSClient,
  name: string,
  receives: number,
  deadLetterTargetArn: string,
  report: Report,
): Promise<void> {
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: receives })
  await create(sqs, name, { RedrivePolicy })
  const retention = `retains messages for ${formatRetention(defaultRetentionSeconds)}`
  const redrive = `unprocessable messages move to ${deadLetterQueueName(name)} after ${receives} receives`
  report(`queue ${name}: created, ${retention}; ${redrive}`)
}

async function create(sqs: SQSClient, QueueName: string, attributes: Attributes): Promise<void> {
  const Attributes = {
    MessageRetentionPeriod: String(defaultRetentionSeconds),
    ...(QueueName.endsWith('.fifo') && { FifoQueue: 'true' }),
    ...attributes,
  }
  try {
    const command = new CreateQueueCommand({ QueueName, Attributes })
    await request('CreateQueue', (options) => sqs.send(command, options))
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    if (error.code.endsWith('QueueDeletedRecently')) {
      const message = `The queue "${QueueName}" was deleted less than a minute ago: try again in a minute.`
      throw new ImgpipeError('unavailable', message, { cause: error })
    }
    // SQS hides a queue from those who may not see it.
    if (error.code === 'QueueNameExists') {
      const message = `The queue "${QueueName}" exists but cannot be looked up with these credentials: grant them sqs:GetQueueUrl.`
      throw new ImgpipeError('permission', message, { cause: error })
    }
    throw cannot(`create the queue "${QueueName}"`, 'sqs:CreateQueue', error)
  }
}

function reportDifferences(
  name: string,
  existing: Attributes,
  { maxAttempts }: QueueSettings,
  report: Report,
): void {
  const retention = Number(existing.MessageRetentionPeriod)
  if (retention !== defaultRetentionSeconds) {
    const recommended = formatRetention(defaultRetentionSeconds)
    report(
      `queue ${name}: retains messages for ${formatRetention(retention)}; imgpipe recommends ${recommended}`,
    )
  }
  const recommended = defaultReceiveCount(maxAttempts)
  const receives = receiveCountOf(existing.RedrivePolicy)
  if (receives === undefined) report(`queue ${name}: has no dead-letter queue; imgpipe recommends one`)
  else if (receives !== recommended) {
    report(`queue ${name}: maxReceiveCount is ${receives}; imgpipe recommends ${recommended}`)
  }
}

/** @returns maxReceiveCount of a RedrivePolicy; undefined without one */
export function receiveCountOf(redrivePolicy: string | undefined): number | undefined {
  if (!redrivePolicy) return undefined
  const { maxReceiveCount }: { maxReceiveCount?: number | string } = JSON.parse(redrivePolicy)
  return maxReceiveCount === undefined ? undefined : Number(maxReceiveCount)
}

/** `4 days`, `1 minute`: a retention, which is a minute at least */
export function formatRetention(seconds: number): string {
  const [count, unit] = seconds >= 86_400 ? [seconds / 86_400, 'day'] : [seconds / 60, 'minute']
  const rounded = Math.round(count)
  return `${rounded} ${unit}${rounded === 1 ? '' : 's'}`
}

function cannot(what: string, permission: string, failure: AwsError): ImgpipeError {
  const { reason, problem, remedy } = explainFailure(failure, {
    permission,
    missing: 'check the setting "queue"',
  })
  return new ImgpipeError(reason, `Cannot ${what}: ${problem}; ${remedy}.`, { cause: failure })
}

async function request<T>(
  operation: string,
  send: (options: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  try {
    return await send({ abortSignal: AbortSignal.timeout(requestMs) })
  } catch (error) {
    throw toFailure(error, { service: 'sqs', operation })
  }
}
