import type { BoxTuple, FailedImage } from '../protocol/messages.ts'
import type { CallCounts, Outcome, TextLine } from '../protocol/outcomes.ts'
import type { ResultsHead } from './format.ts'

// results.json may come from another host (`resultsBucket`) or have been edited, so it is parsed and not trusted. What
// is only shown, such as a box that makes no sense, is left out; without number, key, time and outcome it is no outcome.

/** @returns undefined when the JSON is not a head */
export function parseHead(json: unknown): ResultsHead | undefined {
  if (!isObject(json)) return undefined
  const { run, bucket, label } = json
  if (typeof run !== 'string' || typeof bucket !== 'string' || typeof label !== 'string') return undefined
  return {
    run,
    bucket,
    label,
    count: countOf(json.count),
    images: countOf(json.images),
    detectorFailed: countOf(json.detectorFailed),
    detectorFailures: listOf(json.detectorFailures).flatMap(failure),
    texts: countOf(json.texts),
    failures: countOf(json.failures),
    finishedAt: typeof json.finishedAt === 'string' ? json.finishedAt : '',
    calls: callCounts(json.calls),
    reused: countOf(json.reused),
    requests: callCounts(json.requests),
  }
}

/** @returns undefined when the JSON is not an outcome */
export function parseOutcomeJson(json: unknown): Outcome | undefined {
  if (!isObject(json)) return undefined
  const { n, key, outcome, etag, reason } = json
  // The number becomes the name of a file in a report.
  if (!Number.isSafeInteger(n) || Number(n) < 1 || typeof key !== 'string') return undefined
  const at = numberOf(json.at)
  if (at === undefined) return undefined
  const confidence = numberOf(json.confidence)
  const sentAt = numberOf(json.sentAt)
  const subject = {
    n: Number(n),
    key,
    ...(typeof etag === 'string' && { etag }),
    ...(confidence !== undefined && { confidence }),
    ...(sentAt !== undefined && { sentAt }),
    boxes: listOf(json.boxes).flatMap(box),
    at,
  }
  switch (outcome) {
    case 'text':
      return { ...subject, outcome, lines: listOf(json.lines).flatMap(textLine) }
    case 'no-text':
      return { ...subject, outcome }
    case 'failed':
      return { ...subject, outcome, reason: typeof reason === 'string' ? reason : 'unknown' }
    default:
      return undefined
  }
}

function failure(value: unknown): FailedImage[] {
  if (!isObject(value)) return []
  const { key, reason } = value
  return typeof key === 'string' && typeof reason === 'string' ? [{ key, reason }] : []
}

function box(value: unknown): BoxTuple[] {
  const [left, top, width, height] = listOf(value).map(numberOf)
  if (left === undefined || top === undefined || width === undefined || height === undefined) return []
  return [[left, top, width, height]]
}

function textLine(value: unknown): TextLine[] {
  if (!isObject(value) || typeof value.text !== 'string') return []
  const polygon = listOf(value.polygon).flatMap(corner)
  return [{ text: value.text, confidence: numberOf(value.confidence) ?? 0, polygon }]
}

function corner(value: unknown): [number, number][] {
  const [x, y] = listOf(value).map(numberOf)
  return x === undefined || y === undefined ? [] : [[x, y]]
}

function callCounts(value: unknown): CallCounts {
  const entries = Object.entries(isObject(value) ? value : {})
  return Object.fromEntries(
    entries.flatMap(([name, count]) => (typeof count === 'number' ? [[name, count]] : [])),
  )
}

function countOf(value: unknown): number {
  return numberOf(value) ?? 0
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
