import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import { isImageKey } from './keys.ts'
import { isRunId } from './run-id.ts'

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

const maxBoxes = 50
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
}): OutgoingMessage {
  const { run, count, images, failed } = end
  const abandoned = end.abandoned ? 'yes' : undefined
  const failures = failuresAttribute(end.failures ?? [])
  return {
    body: endBody,
    attributes: attributes({ run, count, images, failed, failures, abandoned }),
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
function isSendable(key: string): boolean {
  return /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}]*$/u.test(key)
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

/**
 * Parses an SQS message. Nothing in it is trusted: a wrong type, a negative number or an impossible key makes it
 * unreadable, with the reason.
 */
export function parseMessage(message: Message): ParsedMessage {
  const given = message.MessageAttributes ?? {}
  const body = message.Body ?? ''
  return given.run === undefined ? parseForeign(body) : parseOurs(body, given)
}

function parseOurs(body: string, given: Record<string, MessageAttributeValue>): ParsedMessage {
  const run = textOf(given.run)
  if (run === undefined || !isRunId(run)) return unreadable('its attribute "run" is not a run id')
  return body === endBody ? parseEnd(run, given) : parseImage(run, body, given)
}

function parseEnd(run: string, given: Record<string, MessageAttributeValue>): ParsedMessage {
  const count = wholeNumber(given.count, 0)
  if (count === undefined) return unreadable('its attribute "count" is not a whole number from 0 up')
  const images = wholeNumber(given.images, 0)
  const failed = wholeNumber(given.failed, 0)
  const failures = parseFailures(textOf(given.failures))
  return { kind: 'end', run, count, images, failed, failures, abandoned: given.abandoned !== undefined }
}

function parseImage(run: string, body: string, given: Record<string, MessageAttributeValue>): ParsedMessage {
  const n = wholeNumber(given.n, 1)
  if (n === undefined) return unreadable('its attribute "n" is not a whole number from 1 up')
  const key = textOf(given.encoding) === 'uri' ? uriDecoded(body) : body
  if (key === undefined || !isKey(key)) return unreadable('its body is not an S3 key')
  return {
    kind: 'image',
    run,
    n,
    key,
    bucket: textOf(given.bucket),
    etag: textOf(given.etag),
    sizeBytes: wholeNumber(given.size, 0),
    confidence: numberOf(given.confidence),
    boxes: parseBoxes(textOf(given.boxes)),
    fresh: given.fresh !== undefined,
  }
}

/**
 * Other implementations of the assignment send the key as the body, or JSON with it in `imageKey` or `key`. Some send the
 * number alone: "3" stands for 3.jpg, as the assignment's images are named.
 */
function parseForeign(body: string): ParsedMessage {
  const sent = foreignKey(body.trim())
  const key = sent !== undefined && /^\d+$/.test(sent) ? `${sent}.jpg` : sent
  if (key === endBody) {
    return {
      kind: 'end',
      run: undefined,
      count: undefined,
      images: undefined,
      failed: undefined,
      failures: [],
      abandoned: false,
    }
  }
  if (key === undefined || !isKey(key) || !isImageKey(key)) {
    return unreadable('it has no attribute "run" and its body is neither the key of a JPEG or PNG nor "-1"')
  }
  return {
    kind: 'image',
    run: undefined,
    n: undefined,
    key,
    bucket: undefined,
    etag: undefined,
    sizeBytes: undefined,
    confidence: undefined,
    boxes: [],
    fresh: false,
  }
}

function foreignKey(body: string): string | undefined {
  if (!/^["{]/.test(body)) return body
  const parsed = parsedJson(body)
  const key = typeof parsed === 'object' && parsed !== null ? namedKey(parsed) : parsed
  return typeof key === 'string' || typeof key === 'number' ? String(key) : undefined
}

function namedKey(parsed: object): unknown {
  if ('imageKey' in parsed) return parsed.imageKey
  return 'key' in parsed ? parsed.key : undefined
}

function parsedJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

function unreadable(reason: string): UnreadableMessage {
  return { kind: 'unreadable', reason }
}

/** S3 keys are 1 to 1024 bytes of UTF-8; NUL is none that a request could carry. */
function isKey(key: string): boolean {
  return key.length > 0 && Buffer.byteLength(key) <= 1024 && !key.includes('\0') && key.isWellFormed()
}

function uriDecoded(body: string): string | undefined {
  try {
    return decodeURIComponent(body)
  } catch {
    return undefined
  }
}

function textOf(attribute: MessageAttributeValue | undefined): string | undefined {
  return attribute?.DataType?.startsWith('String') ? attribute.StringValue : undefined
}

function numberOf(attribute: MessageAttributeValue | undefined): number | undefined {
  if (!attribute?.DataType?.startsWith('Number') || !attribute.StringValue?.trim()) return undefined
  const number = Number(attribute.StringValue)
  return Number.isFinite(number) ? number : undefined
}

function wholeNumber(attribute: MessageAttributeValue | undefined, min: number): number | undefined {
  const number = numberOf(attribute)
  return Number.isSafeInteger(number) && Number(number) >= min ? number : undefined
}

/** Boxes are decoration: what is not a box is left out, and nothing else suffers. */
function parseBoxes(json: string | undefined): BoxTuple[] {
  const parsed = json === undefined ? undefined : parsedJson(json)
  return Array.isArray(parsed) ? parsed.filter(isBox).slice(0, maxBoxes) : []
}

function isBox(box: unknown): box is BoxTuple {
  return Array.isArray(box) && box.length === 4 && box.every((edge) => typeof edge === 'number')
}

/** Failures are information for people: what is not `[key, reason]` is left out. */
function parseFailures(json: string | undefined): FailedImage[] {
  const parsed = json === undefined ? undefined : parsedJson(json)
  if (!Array.isArray(parsed)) return []
  return parsed.flatMap((entry: unknown) => {
    const [key, reason] = Array.isArray(entry) ? entry : []
    return typeof key === 'string' && typeof reason === 'string' ? [{ key, reason }] : []
  })
}
