import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import { isImageKey } from './keys.ts'
import {
  type BoxTuple,
  endBody,
  type FailedImage,
  maxBoxes,
  type ParsedMessage,
  type UnreadableMessage,
} from './messages.ts'
import { isRunId } from './run-id.ts'

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
  return {
    kind: 'end',
    run,
    count,
    images,
    failed,
    failures,
    abandoned: given.abandoned !== undefined,
    bucket: textOf(given.bucket),
    label: textOf(given.label),
  }
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
      bucket: undefined,
      label: undefined,
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
