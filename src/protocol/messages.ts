import type { MessageAttributeValue } from '@aws-sdk/client-sqs'

/** The end message's body, as the assignment fixes it. */
export const endBody = '-1'

/** [left, top, width, height] as shares of the image's width and height. */
export type BoxTuple = readonly [left: number, top: number, width: number, height: number]

/** One image with the label: the n-th of its run. */
export interface ImageMessage {
  readonly kind: 'image'
  /** undefined: sent by another implementation, which knows no runs */
  readonly run: string | undefined
  /** 1, 2, 3 … within the run; undefined as `run` is */
  readonly n: number | undefined
  readonly key: string
  readonly bucket: string | undefined
  readonly etag: string | undefined
  /** of the object, so that its bytes can be reserved before it is downloaded */
  readonly sizeBytes: number | undefined
  /** the label's confidence, 0 to 100 */
  readonly confidence: number | undefined
  readonly boxes: readonly BoxTuple[]
  /** answers of earlier runs are not to be used */
  readonly fresh: boolean
}

/** An image that the detector could not analyse. */
export interface FailedImage {
  readonly key: string
  readonly reason: string
}

/** No more will be sent: what the run had in all. */
export interface EndMessage {
  readonly kind: 'end'
  readonly run: string | undefined
  /** image messages of the run; undefined as `run` is */
  readonly count: number | undefined
  readonly images: number | undefined
  readonly failed: number | undefined
  /** as many of the failed ones as fit */
  readonly failures: readonly FailedImage[]
  /** no result is to be published: the detector will not finish this run */
  readonly abandoned: boolean
  readonly bucket: string | undefined
  /** what the detector looked for */
  readonly label: string | undefined
}

/** Not a message of this protocol: left for the dead-letter queue. */
export interface UnreadableMessage {
  readonly kind: 'unreadable'
  readonly reason: string
}

export type ParsedMessage = ImageMessage | EndMessage | UnreadableMessage

/** A message as SQS takes it. */
export interface OutgoingMessage {
  readonly body: string
  readonly attributes: Record<string, MessageAttributeValue>
  /** unique within the run; the FIFO deduplication id is made of run and name */
  readonly name: string
  readonly run: string
}

/** Boxes are decoration: more than these are left out. */
export const maxBoxes = 50
/** SQS allows 256 KiB a message; the end message needs little else. */
const maxFailuresBytes = 100_000

/** The message about one image. */
export function imageMessage(image: {
  run: string
  n: number
  key: string
  bucket: string
  etag: string | undefined
  sizeBytes: number | undefined
  confidence: number
  boxes: readonly BoxTuple[]
  fresh: boolean
}): OutgoingMessage {
  const plain = isSendable(image.key)
  return {
    body: plain ? image.key : encodeURIComponent(image.key),
    attributes: attributes({
      run: image.run,
      n: image.n,
      bucket: image.bucket,
      etag: image.etag,
      size: image.sizeBytes,
      confidence: image.confidence,
      boxes: image.boxes.length > 0 ? JSON.stringify(image.boxes.slice(0, maxBoxes)) : undefined,
      encoding: plain ? undefined : 'uri',
      fresh: image.fresh ? 'yes' : undefined,
    }),
    name: String(image.n),
    run: image.run,
  }
}

/** The "-1" of a run: its count, or that the run is abandoned. */
export function endMessage(end: {
  run: string
  count: number
  images: number
  failed: number
  failures?: Iterable<FailedImage>
  abandoned: boolean
  bucket?: string
  label?: string
}): OutgoingMessage {
  const { run, count, images, failed, bucket } = end
  // It is for people only: better none than an end that SQS refuses.
  const label = end.label !== undefined && isSendable(end.label) ? end.label : undefined
  const abandoned = end.abandoned ? 'yes' : undefined
  const failures = failuresAttribute(end.failures ?? [])
  return {
    body: endBody,
    attributes: attributes({ run, count, images, failed, failures, abandoned, bucket, label }),
    name: 'end',
    run,
  }
}

/** `[["key","reason"],…]` in ASCII, as many as fit. */
function failuresAttribute(failures: Iterable<FailedImage>): string | undefined {
  const entries: string[] = []
  let length = 2
  for (const { key, reason } of failures) {
    const entry = asciiJson([key, reason])
    length += entry.length + 1
    if (length > maxFailuresBytes) break
    entries.push(entry)
  }
  return entries.length > 0 ? `[${entries.join(',')}]` : undefined
}

/** SQS refuses some characters of keys; escaped they are plain ASCII. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * Characters that SQS takes in a body (its API reference, SendMessage); others make the call fail. Those beyond
 * U+FFFF were added late and are refused by what imitates SQS, so they count as refused.
 */
function isSendable(text: string): boolean {
  return /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}]*$/u.test(text)
}

function attributes(
  values: Record<string, string | number | undefined>,
): Record<string, MessageAttributeValue> {
  const entries = Object.entries(values).flatMap(([name, value]) => {
    if (value === undefined || value === '') return []
    return [[name, { DataType: typeof value === 'number' ? 'Number' : 'String', StringValue: String(value) }]]
  })
  return Object.fromEntries(entries)
}
