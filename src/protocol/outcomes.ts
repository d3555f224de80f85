import type { BoxTuple, FailedImage } from './messages.ts'

/** One LINE of text; polygon as shares of the image, clockwise from the text's top left. */
export interface TextLine {
  readonly text: string
  /** 0 to 100 */
  readonly confidence: number
  readonly polygon: readonly (readonly [x: number, y: number])[]
}

/** What is known of an image before it is read: from its message. */
export interface OutcomeSubject {
  readonly n: number
  readonly key: string
  readonly etag?: string
  readonly confidence?: number
  readonly boxes?: readonly BoxTuple[]
  /** when the detector's message reached the queue, ms since 1970 */
  readonly sentAt?: number
}

/** What an image came to. */
export type Reading =
  | { readonly outcome: 'text'; readonly lines: readonly TextLine[] }
  | { readonly outcome: 'no-text' }
  | { readonly outcome: 'failed'; readonly reason: string }

/** One image of results.json. */
export type Outcome = OutcomeSubject & { /** ms since 1970 */ readonly at: number } & Reading

/** What the end message of a run says. */
export interface RunEnd {
  readonly count: number
  readonly images: number
  readonly failed: number
  /** as many of the detector's failures as its message could carry */
  readonly failures: readonly FailedImage[]
  readonly abandoned: boolean
  /** what the detector looked for */
  readonly label?: string | undefined
}

/** Requests by operation, `{"DetectText": 12}`. */
export type CallCounts = Readonly<Record<string, number>>

/** @returns `counts`, with `factor` times those of `more` */
export function addCounts(counts: CallCounts, more: CallCounts, factor = 1): CallCounts {
  const sum: Record<string, number> = { ...counts }
  for (const [operation, count] of Object.entries(more))
    sum[operation] = (sum[operation] ?? 0) + factor * count
  return sum
}
