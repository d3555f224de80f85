import type { BoxTuple } from './messages.ts'

/** One LINE of text that was read; polygon in shares of the picture, clockwise from the text's top left. */
export interface TextLine {
  readonly text: string
  /** 0 to 100 */
  readonly confidence: number
  readonly polygon: readonly (readonly [x: number, y: number])[]
}

/** What is known of a picture before it is looked at: from its message. */
export interface OutcomeSubject {
  readonly n: number
  readonly key: string
  readonly bucket: string
  readonly etag?: string
  readonly confidence?: number
  readonly boxes?: readonly BoxTuple[]
  /** when the detector's message reached the queue, ms since 1970 */
  readonly sentAt?: number
  /** SQS's MessageId, in foreign runs only: by it a repeated message is known again */
  readonly id?: string
}

/** What became of a picture: one line of the ledger, one of results.json. */
export type Outcome = OutcomeSubject & { /** ms since 1970 */ readonly at: number } & (
    | { readonly outcome: 'text'; readonly lines: readonly TextLine[] }
    | { readonly outcome: 'no-text' }
    | { readonly outcome: 'failed'; readonly reason: string }
  )

/** The end of a run as the ledger keeps it. */
export interface RunEnd {
  readonly count: number
  readonly images: number
  readonly failed: number
  readonly abandoned: boolean
}

/** Requests by operation, `{"DetectText": 12}`. */
export type CallCounts = Readonly<Record<string, number>>

/** Now and then: what `imgpipe status` shows, which reads only the ledger's end. */
export interface LedgerCheckpoint {
  /** requests of the run so far */
  readonly calls: CallCounts
  readonly recorded: number
  readonly texts: number
  readonly failures: number
  /** of so many, once the end message has come */
  readonly count?: number
  readonly at: number
}

/** A line of runs/<run>/ledger.ndjson. */
export type LedgerLine =
  | Outcome
  | { readonly end: RunEnd; readonly at: number; readonly id?: string }
  /** "-1" of a foreign run, which does not say how many there are */
  | { readonly last: true; readonly at: number; readonly id?: string }
  | LedgerCheckpoint
