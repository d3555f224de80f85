/** Shares of the picture's width and height from its top left: left, top, width, height. */
export type Box = readonly [left: number, top: number, width: number, height: number]
export type Corner = readonly [x: number, y: number]

export interface ReadLine {
  readonly text: string
  /** 0 to 100 */
  readonly confidence: number | undefined
  /** Shares of the picture's width and height, clockwise; may be empty. */
  readonly polygon: readonly Corner[]
}

export type Outcome = 'text' | 'no-text' | 'failed'

/** One picture's outcome, as results.json and the ledger tell it. Times are milliseconds since 1970. */
export interface PictureRecord {
  readonly n: number
  readonly key: string
  /** Where it was looked for, when that was not the run's own bucket. */
  readonly bucket: string | undefined
  /** Of the picture that was analysed. */
  readonly etag: string | undefined
  readonly outcome: Outcome
  readonly reason: string | undefined
  /** The label's, 0 to 100 */
  readonly confidence: number | undefined
  readonly boxes: readonly Box[]
  readonly lines: readonly ReadLine[]
  /** When SQS took the message (SentTimestamp); when the reader recorded the outcome. */
  readonly sentAt: number | undefined
  readonly at: number | undefined
}

/** A number for each picture of a run that makes a file name: whole and from 1 up. */
function isPictureNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}

/** A picture's record from parsed JSON; undefined when it is none. What is missing or senseless in it is left out. */
export function pictureRecord(json: unknown): PictureRecord | undefined {
  if (!isObject(json)) return undefined
  const { n, key, outcome } = json
  if (!isPictureNumber(n) || typeof key !== 'string' || !isOutcome(outcome)) return undefined
  return {
    n,
    key,
    outcome,
    bucket: textOf(json.bucket),
    etag: textOf(json.etag),
    reason: textOf(json.reason),
    confidence: numberOf(json.confidence),
    boxes: listOf(json.boxes).flatMap(boxes),
    lines: listOf(json.lines).flatMap(readLines),
    sentAt: numberOf(json.sentAt),
    at: numberOf(json.at),
  }
}

function isOutcome(value: unknown): value is Outcome {
  return value === 'text' || value === 'no-text' || value === 'failed'
}

function boxes(value: unknown): Box[] {
  const [left, top, width, height] = listOf(value).map(numberOf)
  if (left === undefined || top === undefined || width === undefined || height === undefined) return []
  return [[left, top, width, height]]
}

function readLines(value: unknown): ReadLine[] {
  if (!isObject(value) || typeof value.text !== 'string') return []
  const polygon = listOf(value.polygon).flatMap(corners)
  return [{ text: value.text, confidence: numberOf(value.confidence), polygon }]
}

function corners(value: unknown): Corner[] {
  const [x, y] = listOf(value).map(numberOf)
  return x === undefined || y === undefined ? [] : [[x, y]]
}

/** The run's own facts: results.json's header, or what the ledger's end and call lines say so far. */
export interface RunFacts {
  readonly bucket: string | undefined
  readonly label: string | undefined
  /** Pictures with the label, so index messages. */
  readonly count: number | undefined
  /** Pictures that the detector looked at. */
  readonly images: number | undefined
  readonly detectorFailed: number | undefined
  readonly abandoned: boolean
  /** Milliseconds since 1970 */
  readonly finishedAt: number | undefined
  /** Requests by operation, such as DetectText */
  readonly calls: ReadonlyMap<string, number>
}

/** Facts from results.json's header. */
export function runFacts(json: unknown): RunFacts {
  const given = isObject(json) ? json : {}
  const finishedAt = typeof given.finishedAt === 'string' ? Date.parse(given.finishedAt) : given.finishedAt
  return {
    bucket: textOf(given.bucket),
    label: textOf(given.label),
    count: numberOf(given.count),
    images: numberOf(given.images),
    detectorFailed: numberOf(given.detectorFailed),
    abandoned: given.abandoned === true,
    finishedAt: numberOf(finishedAt),
    calls: calls(given.calls),
  }
}

/** Facts from a ledger's line `{end: {count, images, failed, abandoned}}` or `{calls: {…}}`, added to those before. */
export function withLedgerLine(facts: RunFacts, json: unknown): RunFacts {
  if (!isObject(json)) return facts
  const bucket = facts.bucket ?? textOf(json.bucket)
  if (isObject(json.calls)) return { ...facts, bucket, calls: calls(json.calls) }
  if (!isObject(json.end)) return { ...facts, bucket }
  const { count, images, abandoned, failed } = json.end
  return {
    ...facts,
    bucket,
    count: numberOf(count),
    images: numberOf(images),
    detectorFailed: numberOf(failed),
    abandoned: abandoned === true,
  }
}

function calls(value: unknown): Map<string, number> {
  const given = Object.entries(isObject(value) ? value : {})
  return new Map(
    given.flatMap(([name, count]) => (numberOf(count) === undefined ? [] : [[name, Number(count)]])),
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
