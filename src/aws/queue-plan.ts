/** SQS's longest retention, in seconds: a reader that is started days later still finds its messages. */
export const planRetentionSeconds = 14 * 24 * 3600
/** SQS takes no greater maxReceiveCount (SetQueueAttributes, RedrivePolicy). */
const mostReceives = 1000

/** The dead-letter queue that imgpipe makes beside a queue; that of a FIFO queue must be one too. */
export function deadLetterQueueFor(queue: string): string {
  return queue.endsWith('.fifo') ? `${queue.slice(0, -'.fifo'.length)}-dlq.fifo` : `${queue}-dlq`
}

/**
 * Deliveries after which SQS puts a message aside. Deliveries are no attempts: a message is delivered again for
 * each crash, stop and outage too, so this is far above `maxAttempts`, and only what is no message of ours
 * should ever end there.
 */
export function planReceiveCount(maxAttempts: number): number {
  return Math.min(mostReceives, Math.max(100, 20 * maxAttempts))
}
