import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import { isPictureKey } from './indexes.ts'
import { isRunId } from './run-id.ts'

/** The end message's body, as the assignment fixes it. */
export const endBody = '-1'

/** [left, top, width, height] in shares of the picture. */
export type BoxTuple = readonly [left: number, top: number, width: number, height: number]

/** One picture with a car: the n-th of its run. */
export interface IndexMessage {
  readonly kind: 'index'
  /** undefined: sent by another implementation, which knows no runs */
  readonly run: string | undefined
  /** 1, 2, 3 … within the run; undefined as `run` is */
  readonly n: number | undefined
  readonly key: string
  readonly bucket: string | undefined
  readonly etag: string | undefined
  /** the label's confidence, 0 to 100 */
  readonly confidence: number | undefined
  readonly boxes: readonly BoxTuple[]
}

/** No more will be sent: what the run had in all. */
export interface EndMessage {
  readonly kind: 'end'
  readonly run: string | undefined
  /** index messages of the run; undefined as `run` is */
  readonly count: number | undefined
  readonly images: number | undefined
  readonly failed: number | undefined
  /** given up before it was finished: no result is to be published */
  readonly abandoned: boolean
}

/** None of ours: left for the dead-letter queue. */
export interface UnreadableMessage {
  readonly kind: 'unreadable'
  readonly reason: string
}

export type ParsedMessage = IndexMessage | EndMessage | UnreadableMessage

/** A message as SQS takes it. */
export interface OutgoingMessage {
  readonly body: string
  readonly attributes: Record<string, MessageAttributeValue>
  /** unique within the run; the FIFO deduplication id is made of run and this */
  readonly name: string
  readonly run: string
}

const mostBoxes = 50

/** A car's index message (design, section 4). */
export function indexMessage(car: {
  run: string
  n: number
  key: string
  bucket: string
  etag: string | undefined
  confidence: number
  boxes: readonly BoxTuple[]
}): OutgoingMessage {
  const plain = isSendable(car.key)
  return {
    body: plain ? car.key : encodeURIComponent(car.key),
    attributes: attributes({
      run: car.run,
      n: car.n,
      bucket: car.bucket,
      etag: car.etag,
      confidence: car.confidence,
      boxes: car.boxes.length > 0 ? JSON.stringify(car.boxes.slice(0, mostBoxes)) : undefined,
      encoding: plain ? undefined : 'uri',
    }),
    name: String(car.n),
    run: car.run,
  }
}

/** The "-1" of a run: its count, or that it was given up. */
export function endMessage(end: {
  run: string
  count: number
  images: number
  failed: number
  abandoned: boolean
}): OutgoingMessage {
  const { run, count, images, failed } = end
  const abandoned = end.abandoned ? 'yes' : undefined
  return {
    body: endBody,
    attributes: attributes({ run, count, images, failed, abandoned }),
    name: 'end',
    run,
  }
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
 * What an SQS message says. Nothing in it is trusted: a wrong type, a negative number or an impossible key
 * makes it unreadable, with the reason.
 */
export function parseMessage(message: Message): ParsedMessage {
  const given = message.MessageAttributes ?? {}
  const body = message.Body ?? ''
  return given.run === undefined ? parseForeign(body) : parseOurs(body, given)
}

function parseOurs(body: string, given: Record<string, MessageAttributeValue>): ParsedMessage {
  const run = textOf(given.run)
  if (run === undefined || !isRunId(run)) return unreadable('its attribute "run" is not a run id')
  return body === endBody ? parseEnd(run, given) : parseIndex(run, body, given)
}

function parseEnd(run: string, given: Record<string, MessageAttributeValue>): ParsedMessage {
  const count = wholeNumber(given.count, 0)
  if (count === undefined) return unreadable('its attribute "count" is not a whole number from 0 up')
  const images = wholeNumber(given.images, 0)
  const failed = wholeNumber(given.failed, 0)
  return { kind: 'end', run, count, images, failed, abandoned: given.abandoned !== undefined }
}

function parseIndex(run: string, body: string, given: Record<string, MessageAttributeValue>): ParsedMessage {
  const n = wholeNumber(given.n, 1)
  if (n === undefined) return unreadable('its attribute "n" is not a whole number from 1 up')
  const key = textOf(given.encoding) === 'uri' ? uriDecoded(body) : body
  if (key === undefined || !isKey(key)) return unreadable('its body is not an S3 key')
  return {
    kind: 'index',
    run,
    n,
    key,
    bucket: textOf(given.bucket),
    etag: textOf(given.etag),
    confidence: numberOf(given.confidence),
    boxes: parseBoxes(textOf(given.boxes)),
  }
}

/** Other implementations of the assignment send the key as the body, or JSON with it in `imageKey` or `key`. */
function parseForeign(body: string): ParsedMessage {
  const key = foreignKey(body.trim())
  if (key === endBody) {
    return {
      kind: 'end',
      run: undefined,
      count: undefined,
      images: undefined,
      failed: undefined,
      abandoned: false,
    }
  }
  if (key === undefined || !isKey(key) || !isPictureKey(key)) {
    return unreadable('it has no attribute "run" and its body is neither the key of a JPEG or PNG nor "-1"')
  }
  const unknown = { n: undefined, bucket: undefined, etag: undefined, confidence: undefined, boxes: [] }
  return { kind: 'index', run: undefined, key, ...unknown }
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

function wholeNumber(attribute: MessageAttributeValue | undefined, least: number): number | undefined {
  const number = numberOf(attribute)
  return Number.isSafeInteger(number) && Number(number) >= least ? number : undefined
}

/** Boxes are decoration: anything that is none is left out, and nothing else suffers. */
function parseBoxes(json: string | undefined): BoxTuple[] {
  const parsed = json === undefined ? undefined : parsedJson(json)
  return Array.isArray(parsed) ? parsed.filter(isBox).slice(0, mostBoxes) : []
}

function isBox(box: unknown): box is BoxTuple {
  return Array.isArray(box) && box.length === 4 && box.every((edge) => typeof edge === 'number')
}
