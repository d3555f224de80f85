import type { Message } from '@aws-sdk/client-sqs'
import type { IndexMessage } from '../protocol/messages.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import type { Finding } from './analyse.ts'
import type { ForeignRun } from './foreign-run.ts'
import type { RunBook, Standing } from './run-book.ts'

/** One picture to be read, whichever program has sent its message. */
export interface Work {
  /** the same for every message about this picture of this run */
  readonly name: string
  standing(): Promise<Standing>
  /** @returns when the outcome is durable */
  record(finding: Finding): Promise<void>
}

export function workOf(
  message: Message,
  index: IndexMessage,
  book: RunBook,
  foreign: ForeignRun | undefined,
): Work {
  const { run, n } = index
  if (run !== undefined && n !== undefined) {
    return {
      name: `${run} ${n}`,
      standing: () => book.standing(run, n),
      record: (finding) => book.record(run, outcomeOf(message, index, n, finding)),
    }
  }
  const id = message.MessageId ?? ''
  return {
    name: `foreign ${index.key}`,
    standing: async () => (await foreign?.standing(index.key, id)) ?? 'contradicted',
    record: async (finding) => foreign?.record({ ...outcomeOf(message, index, 0, finding), id }),
  }
}

function outcomeOf(message: Message, index: IndexMessage, n: number, finding: Finding): Outcome {
  const { key, bucket, etag, confidence, boxes } = index
  const sentAt = Number(message.Attributes?.SentTimestamp)
  return {
    n,
    key,
    bucket: bucket ?? '',
    ...(etag && { etag }),
    ...(confidence !== undefined && { confidence }),
    ...(boxes.length > 0 && { boxes }),
    ...(sentAt > 0 && { sentAt }),
    at: Date.now(),
    ...finding,
  }
}
