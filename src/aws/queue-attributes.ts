export interface QueueSettings {
  /** the queue's name or URL */
  readonly queue: string
  readonly maxAttempts: number
}

/** Of SQS, all of them text. */
export type Attributes = Readonly<Record<string, string>>

/** SQS's longest retention, in seconds: a reader that is started days later still finds its messages. */
export const defaultRetentionSeconds = 14 * 24 * 3600
/** SQS's own default, in seconds. */
const defaultVisibilitySeconds = 30
/** A reader that pauses for less than this keeps its messages. */
export const minVisibilitySeconds = 10
/** SQS takes no greater maxReceiveCount (SetQueueAttributes, RedrivePolicy). */
const maxReceiveCount = 1000

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

/** Those of a queue that are below what imgpipe recommends, as they should be. */
export function betterAttributes(
  existing: Attributes,
  { maxAttempts }: QueueSettings,
  deadLetterTargetArn: string,
): Attributes {
  const receives = defaultReceiveCount(maxAttempts)
  const isFew = (receiveCountOf(existing.RedrivePolicy) ?? 0) < receives
  const isShort = Number(existing.MessageRetentionPeriod) < defaultRetentionSeconds
  const isHasty = Number(existing.VisibilityTimeout) < minVisibilitySeconds
  return {
    ...(isFew && { RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: receives }) }),
    ...(isShort && { MessageRetentionPeriod: String(defaultRetentionSeconds) }),
    ...(isHasty && { VisibilityTimeout: String(defaultVisibilitySeconds) }),
  }
}

/** @returns the name at the end of a queue's URL, or the name itself */
export function queueName(nameOrUrl: string): string {
  return nameOrUrl.slice(nameOrUrl.lastIndexOf('/') + 1)
}

/** @returns deadLetterTargetArn of a RedrivePolicy */
export function deadLetterArnOf(redrivePolicy: string): string {
  const { deadLetterTargetArn = '' }: { deadLetterTargetArn?: string } = JSON.parse(redrivePolicy)
  return deadLetterTargetArn
}

/** @returns `imgpipe-dlq` of `arn:aws:sqs:us-east-1:111122223333:imgpipe-dlq` */
export function queueNameOfArn(arn: string): string {
  return arn.slice(arn.lastIndexOf(':') + 1)
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
