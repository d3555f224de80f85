import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { ImgpipeError } from '../host/exit-codes.ts'
import { AwsError, toFailure } from './errors.ts'
import { explainFailure } from './explain.ts'
import {
  type Attributes,
  betterAttributes,
  deadLetterArnOf,
  deadLetterQueueName,
  defaultReceiveCount,
  defaultRetentionSeconds,
  formatRetention,
  type QueueSettings,
  queueName,
  queueNameOfArn,
  receiveCountOf,
} from './queue-attributes.ts'

type Report = (line: string) => void

const requestMs = 20_000

/**
 * Creates the queue and its dead-letter queue if they do not exist. An existing queue keeps its attributes: where they differ
 * from the defaults, a line says so, and `repair` raises those that are below. Nothing is ever deleted or lowered.
 *
 * @throws {ImgpipeError} `permission` when that is not allowed, `unavailable` when SQS cannot be reached
 */
export async function createQueues(
  sqs: SQSClient,
  settings: QueueSettings,
  report: Report,
  { repair = false }: { repair?: boolean } = {},
): Promise<void> {
  const name = queueName(settings.queue)
  const existing = await attributesOf(sqs, name)
  const deadLetterArn = existing?.RedrivePolicy
    ? deadLetterArnOf(existing.RedrivePolicy)
    : await createDeadLetterQueue(sqs, deadLetterQueueName(name), report)
  if (existing === undefined) {
    await createMainQueue(sqs, name, defaultReceiveCount(settings.maxAttempts), deadLetterArn, report)
    return
  }
  const better = betterAttributes(existing, settings, deadLetterArn)
  if (repair && Object.keys(better).length > 0) {
    await setAttributes(sqs, name, better)
    reportRepairs(name, better, report)
    return
  }
  report(`queue ${name}: already exists, unchanged`)
  reportDifferences(name, existing, settings, report)
  if (!repair && Object.keys(better).length > 0)
    report(`queue ${name}: "imgpipe setup --repair" corrects this`)
}

async function setAttributes(sqs: SQSClient, name: string, Attributes: Attributes): Promise<void> {
  try {
    const find = new GetQueueUrlCommand({ QueueName: name })
    const { QueueUrl } = await request('GetQueueUrl', (options) => sqs.send(find, options))
    const command = new SetQueueAttributesCommand({ QueueUrl, Attributes })
    await request('SetQueueAttributes', (options) => sqs.send(command, options))
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    throw cannot(`repair the queue "${name}"`, 'sqs:SetQueueAttributes', error)
  }
}

function reportRepairs(name: string, better: Attributes, report: Report): void {
  const { RedrivePolicy, MessageRetentionPeriod, VisibilityTimeout } = better
  if (RedrivePolicy) {
    const target = queueNameOfArn(deadLetterArnOf(RedrivePolicy))
    const receives = receiveCountOf(RedrivePolicy)
    report(`queue ${name}: repaired, unprocessable messages move to ${target} after ${receives} receives`)
  }
  if (MessageRetentionPeriod) {
    const retention = formatRetention(Number(MessageRetentionPeriod))
    report(`queue ${name}: repaired, retains messages for ${retention}`)
  }
  if (VisibilityTimeout) report(`queue ${name}: repaired, its visibility timeout is ${VisibilityTimeout} s`)
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
