import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs'
import {
  deadLetterQueueName,
  defaultReceiveCount,
  formatRetention,
  queueName,
  receiveCountOf,
} from '../aws/create-queues.ts'
import { type AwsError, classify } from '../aws/errors.ts'
import { type Finding, fail, failedRequest, ok, skip, warn } from './finding.ts'

type Attributes = Readonly<Record<string, string>>

/** SQS's own default: a reader that is started on Monday still finds Friday's messages. */
const minRetentionSeconds = 4 * 24 * 3600
/** A reader that pauses for less than this keeps its messages. */
const minVisibilitySeconds = 10
const deadLetters = 'dead letters'

/** Two findings: the queue itself, and where messages go that cannot be processed. Nothing is sent or received. */
export async function checkQueue(
  sqs: SQSClient,
  { queue, maxAttempts }: { queue: string; maxAttempts: number },
  abortSignal: AbortSignal,
): Promise<Finding[]> {
  const name = queueName(queue)
  let operation = 'GetQueueUrl'
  try {
    const url = /^https?:/.test(queue)
      ? queue
      : (await sqs.send(new GetQueueUrlCommand({ QueueName: queue }), { abortSignal })).QueueUrl
    operation = 'GetQueueAttributes'
    const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] })
    const { Attributes = {} } = await sqs.send(command, { abortSignal })
    const redrive = await checkRedrive(sqs, { name, url, attributes: Attributes, maxAttempts }, abortSignal)
    return [queueFinding(name, Attributes, url), redrive]
  } catch (error) {
    const failure = classify(error, { service: 'sqs', operation })
    return [queueFailure(name, failure), skip(deadLetters, 'not checked: fix the queue first')]
  }
}

/** Its attributes are more than the workers need; they only have to find it. */
function queueFailure(name: string, failure: AwsError): Finding {
  if (failure.operation === 'GetQueueAttributes' && failure.kind === 'denied')
    return warn(
      'queue',
      `${name}: its attributes cannot be read (${failure.message})`,
      'grant sqs:GetQueueAttributes',
    )
  return failedRequest('queue', name, failure, {
    permission: `sqs:${failure.operation} on it`,
    missing: 'create it with "imgpipe setup", or correct the settings "queue" and "region"',
  })
}

function queueFinding(name: string, attributes: Attributes, url: string | undefined): Finding {
  const retention = Number(attributes.MessageRetentionPeriod)
  const visibility = Number(attributes.VisibilityTimeout)
  if (retention < minRetentionSeconds) {
    const detail = `${name}: retains messages for only ${formatRetention(retention)}`
    return warn('queue', detail, setAttributes(url, { MessageRetentionPeriod: '1209600' }))
  }
  if (visibility < minVisibilitySeconds) {
    const detail = `${name}: its visibility timeout is only ${visibility} s`
    return warn('queue', detail, setAttributes(url, { VisibilityTimeout: '30' }))
  }
  const type = attributes.FifoQueue === 'true' ? 'FIFO' : 'standard'
  const waiting = attributes.ApproximateNumberOfMessages ?? '?'
  const inFlight = attributes.ApproximateNumberOfMessagesNotVisible ?? '?'
  const messages = `${waiting} messages available, ${inFlight} in flight`
  return ok('queue', `${name}: ${type}, retains messages for ${formatRetention(retention)}, ${messages}`)
}

interface RedriveQuestion {
  readonly name: string
  readonly url: string | undefined
  readonly attributes: Attributes
  readonly maxAttempts: number
}

async function checkRedrive(
  sqs: SQSClient,
  { name, url, attributes, maxAttempts }: RedriveQuestion,
  abortSignal: AbortSignal,
): Promise<Finding> {
  const { RedrivePolicy = '', QueueArn = '' } = attributes
  const receives = receiveCountOf(RedrivePolicy)
  const recommended = defaultReceiveCount(maxAttempts)
  if (receives === undefined) {
    const ownArn = `${QueueArn.slice(0, QueueArn.lastIndexOf(':') + 1)}${deadLetterQueueName(name)}`
    const remedy = `create one with "imgpipe setup", then ${setRedrivePolicy(url, ownArn, recommended)}`
    return warn(
      deadLetters,
      'no dead-letter queue: unprocessable messages are received again and again',
      remedy,
    )
  }
  const { deadLetterTargetArn = '' }: { deadLetterTargetArn?: string } = JSON.parse(RedrivePolicy)
  // Half of the recommendation: the owner of a queue may have reasons, but not for less than this.
  if (receives < recommended / 2) {
    const detail = `messages are moved away after only ${receives} receives; crashes and outages are receives too`
    return fail(deadLetters, 'settings', detail, setRedrivePolicy(url, deadLetterTargetArn, recommended))
  }
  const target = deadLetterTargetArn.slice(deadLetterTargetArn.lastIndexOf(':') + 1)
  const isVisible = await exists(sqs, target, abortSignal)
  const where = isVisible ? target : `${target} (not visible with these credentials)`
  return ok(deadLetters, `move to ${where} after ${receives} receives`)
}

/** A worker needs no permission on the dead-letter queue, and SQS hides it from those who have none. */
async function exists(sqs: SQSClient, name: string, abortSignal: AbortSignal): Promise<boolean> {
  try {
    await sqs.send(new GetQueueUrlCommand({ QueueName: name }), { abortSignal })
    return true
  } catch (error) {
    return classify(error, { service: 'sqs', operation: 'GetQueueUrl' }).kind !== 'missing'
  }
}

function setRedrivePolicy(url: string | undefined, deadLetterTargetArn: string, receives: number): string {
  const policy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: receives })
  return setAttributes(url, { RedrivePolicy: policy })
}

/** A command that can be pasted into a shell. */
function setAttributes(url = 'URL', attributes: Attributes): string {
  return `aws sqs set-queue-attributes --queue-url ${url} --attributes '${JSON.stringify(attributes)}'`
}
