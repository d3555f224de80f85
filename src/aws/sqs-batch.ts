import type { BatchResultErrorEntry } from '@aws-sdk/client-sqs'
import { invalidRequest, meaningOf } from './error-codes.ts'
import { AwsError, sentence } from './errors.ts'

/** An entry of a batch that was not processed, although the request was accepted. */
export interface RejectedEntry {
  /** position in the batch */
  readonly index: number
  /** SQS's code; '' when SQS did not mention the entry at all */
  readonly code: string
  readonly reason: string
  /** the entry itself is wrong: sending it again cannot help */
  readonly isSenderFault: boolean
}

/** What an answer to a batch request says of its entries, whose IDs are their positions. */
export interface BatchAnswer {
  readonly Successful?: readonly { Id?: string | undefined }[] | undefined
  readonly Failed?: readonly BatchResultErrorEntry[] | undefined
}

/**
 * Entries that SQS does not mention have failed too: an empty answer is none.
 *
 * @returns the entries that were not processed
 * @throws {AwsError} when that is all of them, for one and the same cause that is not about the entries
 */
export function rejectedEntries(
  operation: string,
  count: number,
  { Successful = [], Failed = [] }: BatchAnswer,
): RejectedEntry[] {
  const done = new Set(Successful.map(({ Id }) => Id))
  const failed = new Map(Failed.map((entry) => [entry.Id, entry]))
  const rejected: RejectedEntry[] = []
  for (let index = 0; index < count; index++) {
    const failure = failed.get(String(index))
    if (failure) rejected.push(rejectedEntry(operation, index, failure))
    else if (!done.has(String(index))) {
      rejected.push({
        index,
        code: '',
        reason: sentence(operation, 'not mentioned in the answer'),
        isSenderFault: false,
      })
    }
  }
  throwCommonCause(operation, count, rejected)
  return rejected
}

function rejectedEntry(operation: string, index: number, entry: BatchResultErrorEntry): RejectedEntry {
  const { Code: code = '', Message = '', SenderFault = false } = entry
  const [, what] = meaningOf('sqs', code) ?? ['transient', 'failed']
  const reason = sentence(operation, what, Message === '' ? code : `${code}: ${Message}`)
  return { index, code, reason, isSenderFault: SenderFault }
}

/**
 * What SQS says about each entry of a batch may be about the queue: a permission, a key, the rate. A parameter that is not
 * valid is one of the entry, however many have it: that is how SQS answers receipt handles that have expired.
 */
function throwCommonCause(operation: string, count: number, rejected: readonly RejectedEntry[]): void {
  const [first] = rejected
  if (!first || rejected.length < count || rejected.some(({ code }) => code !== first.code)) return
  const meaning = meaningOf('sqs', first.code)
  if (!meaning || meaning[0] === 'subject' || meaning === invalidRequest) return
  throw new AwsError(meaning[0], first.reason, { service: 'sqs', operation, status: 200, code: first.code })
}
