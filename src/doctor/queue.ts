import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { type AwsError, classify } from '../aws/errors.ts'
import {
  deadLetterArnOf,
  defaultReceiveCount,
  formatRetention,
  minVisibilitySeconds,
  queueName,
  queueNameOfArn,
  receiveCountOf,
} from '../aws/queue-attributes.ts'
import { type Finding, fail, failedRequest, ok, skip, warn } from './finding.ts'

type Attributes = Readonly<Record<string, string>>

/** SQS's own default: a reader that is started on Monday still finds Friday's messages. */
const minRetentionSeconds = 4 * 24 * 3600
/** The console's own default: a message must survive some crashes and outages, each of which is a receive. */
const minReceives = 10
const deadLetters = 'dead letters'

export interface QueueQuestion {
  readonly queue: string
  readonly maxAttempts: number
  /** the command that creates and repairs the queue on this host: `imgpipe setup` */
  readonly setup: string
}

/** Two findings: the queue itself, and where messages go that cannot be processed. Nothing is sent or received. */
export async function checkQueue(
  sqs: SQSClient,
  { queue, maxAttempts, setup }: QueueQuestion,
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
    const redrive = await checkRedrive(sqs, Attributes.RedrivePolicy, { maxAttempts, setup }, abortSignal)
    return [queueFinding(name, Attributes, setup), redrive]
  } catch (error) {
    const failure = classify(error, { service: 'sqs', operation })
    return [queueFailure(name, failure, setup), skip(deadLetters, 'not checked: fix the queue first')]
  }
}

/** Its attributes are more than the workers need; they only have to find it. */
function queueFailure(name: string, failure: AwsError, setup: string): Finding {
  if (failure.operation === 'GetQueueAttributes' && failure.kind === 'denied')
    return warn(
      'queue',
      `${name}: its attributes cannot be read (${failure.message})`,
      'grant sqs:GetQueueAttributes',
    )
  return failedRequest('queue', name, failure, {
    permission: `sqs:${failure.operation} on it`,
    missing: `create it with "${setup}", or correct the settings "queue" and "region"`,
  })
}

function queueFinding(name: string, attributes: Attributes, setup: string): Finding {
  const retention = Number(attributes.MessageRetentionPeriod)
  const visibility = Number(attributes.VisibilityTimeout)
  if (retention < minRetentionSeconds) {
    const detail = `${name}: retains messages for only ${formatRetention(retention)}`
    return warn('queue', detail, repair(setup))
  }
  if (visibility < minVisibilitySeconds) {
    const detail = `${name}: its visibility timeout is only ${visibility} s`
    return warn('queue', detail, repair(setup))
  }
  const type = attributes.FifoQueue === 'true' ? 'FIFO' : 'standard'
  const waiting = attributes.ApproximateNumberOfMessages ?? '?'
  const inFlight = attributes.ApproximateNumberOfMessagesNotVisible ?? '?'
  const messages = `${waiting} messages available, ${inFlight} in flight`
  return ok('queue', `${name}: ${type}, retains messages for ${formatRetention(retention)}, ${messages}`)
}

async function checkRedrive(
  sqs: SQSClient,
  redrivePolicy: string | undefined,
  { maxAttempts, setup }: Pick<QueueQuestion, 'maxAttempts' | 'setup'>,
  abortSignal: AbortSignal,
): Promise<Finding> {
  const receives = receiveCountOf(redrivePolicy)
  if (receives === undefined || !redrivePolicy) {
    const detail = 'no dead-letter queue: unprocessable messages are received again and again'
    return warn(deadLetters, detail, repair(setup))
  }
  const few = `messages are moved away after only ${receives} receives; crashes and outages are receives too`
  if (receives < minReceives) return fail(deadLetters, 'settings', few, repair(setup))
  // Half of the recommendation: the owner of a queue may have reasons.
  if (receives < defaultReceiveCount(maxAttempts) / 2) return warn(deadLetters, few, repair(setup))
  const target = queueNameOfArn(deadLetterArnOf(redrivePolicy))
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

function repair(setup: string): string {
  return `${setup} --repair`
}
