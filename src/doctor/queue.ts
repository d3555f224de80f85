import { GetQueueAttributesCommand, GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { toFault } from '../aws/errors.ts'
import { days, queueName, receiveCountOf } from '../aws/make-queues.ts'
import { planReceiveCount } from '../aws/queue-plan.ts'
import { type Finding, refused, right, unknown, wrong } from './finding.ts'

type Attributes = Readonly<Record<string, string>>

/** SQS's own default: a reader that is started on Monday still finds Friday's messages. */
const leastRetentionSeconds = 4 * 24 * 3600
/** A reader that pauses for less than this keeps its messages to itself. */
const leastVisibilitySeconds = 10

/** Two lines: the queue itself, and where what nobody can handle goes. Nothing is sent or received. */
export async function checkQueue(
  sqs: SQSClient,
  { queue, maxAttempts }: { queue: string; maxAttempts: number },
  abortSignal: AbortSignal,
): Promise<Finding[]> {
  const name = queueName(queue)
  try {
    const url = /^https?:/.test(queue)
      ? queue
      : (await sqs.send(new GetQueueUrlCommand({ QueueName: queue }), { abortSignal })).QueueUrl
    const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] })
    const { Attributes = {} } = await sqs.send(command, { abortSignal })
    return [queueFinding(name, Attributes), await deadLetters(sqs, Attributes, maxAttempts, abortSignal)]
  } catch (error) {
    const rights = 'sqs:GetQueueUrl and sqs:GetQueueAttributes'
    const missing = 'make it with "imgpipe setup", or correct the settings "queue" and "region"'
    return [
      refused('queue', name, toFault(error), { rights, missing }),
      unknown('dead letters', 'not looked at: the queue first'),
    ]
  }
}

export function queueFinding(name: string, attributes: Attributes): Finding {
  const retention = Number(attributes.MessageRetentionPeriod)
  const visibility = Number(attributes.VisibilityTimeout)
  if (retention < leastRetentionSeconds) {
    const said = `${name}: keeps messages for only ${days(retention)}`
    return wrong('queue', 'settings', said, `${setAttribute('MessageRetentionPeriod', '1209600')} (14 days)`)
  }
  if (visibility < leastVisibilitySeconds) {
    const said = `${name}: hides a message from other readers for only ${visibility} s`
    return wrong('queue', 'settings', said, setAttribute('VisibilityTimeout', '30'))
  }
  const kind = attributes.FifoQueue === 'true' ? 'FIFO' : 'standard'
  const waiting = `${attributes.ApproximateNumberOfMessages ?? '?'} messages wait`
  return right('queue', `${name}: ${kind}, keeps messages for ${days(retention)}, ${waiting}`)
}

async function deadLetters(
  sqs: SQSClient,
  { RedrivePolicy }: Attributes,
  maxAttempts: number,
  abortSignal: AbortSignal,
): Promise<Finding> {
  const subject = 'dead letters'
  const receives = receiveCountOf(RedrivePolicy)
  if (RedrivePolicy === undefined || receives === undefined) {
    const remedy = `make one with "imgpipe setup", then ${setAttribute('RedrivePolicy', '…')} (see docs/operations.md)`
    return wrong(
      subject,
      'settings',
      'no dead-letter queue: what nobody can handle comes again and again',
      remedy,
    )
  }
  // Half of what would be made: a queue's owner may have reasons, but not for less than this.
  if (receives < planReceiveCount(maxAttempts) / 2) {
    const said = `after only ${receives} deliveries a message is put aside; crashes and outages are deliveries too`
    return wrong(subject, 'settings', said, `set maxReceiveCount to ${planReceiveCount(maxAttempts)}`)
  }
  const { deadLetterTargetArn = '' } = JSON.parse(RedrivePolicy) as { deadLetterTargetArn?: string }
  return whereTheyGo(sqs, deadLetterTargetArn.split(':').at(-1) ?? '', receives, abortSignal)
}

async function whereTheyGo(
  sqs: SQSClient,
  name: string,
  receives: number,
  abortSignal: AbortSignal,
): Promise<Finding> {
  // A worker has no rights on this queue and needs none, and SQS hides it from whoever has none.
  const isSeen = await sqs.send(new GetQueueUrlCommand({ QueueName: name }), { abortSignal }).then(
    () => true,
    (error: unknown) => toFault(error).kind !== 'missing',
  )
  const where = isSeen ? name : `${name} (which these credentials do not see)`
  return right('dead letters', `go to ${where} after ${receives} deliveries`)
}

function setAttribute(name: string, value: string): string {
  return `aws sqs set-queue-attributes --queue-url … --attributes ${name}=${value}`
}
