import type { BoxTuple } from '../protocol/messages.ts'
import type { Outcome, RunEnd, TextLine } from '../protocol/outcomes.ts'
import { isRunId } from '../protocol/run-id.ts'
import type { Answer } from '../state/answers.ts'

/** A run's end, and when it came to the first reader (ms since 1970). */
export type SharedEnd = RunEnd & { readonly at: number }

/** Every line of text, whatever its confidence. */
export type SharedAnswer = Answer<readonly TextLine[]>

export type RunState = 'complete' | 'abandoned'

/** What is written at a place in the order of finished runs. */
export interface FinishedEntry {
  readonly run: string
  readonly state: RunState
}

/** Whether JSON from the exchange is what its key says: whatever else answers, or has written there, is not believed. */
export type Check<Content> = (value: unknown) => value is Content

export function isOutcome(value: unknown): value is Outcome {
  if (!isObject(value) || !isCount(value.n) || !isText(value.key) || !isNumber(value.at)) return false
  const areOptionalsValid =
    isOptional(value.etag, isText) &&
    isOptional(value.confidence, isNumber) &&
    isOptional(value.boxes, isListOf(isBox)) &&
    isOptional(value.sentAt, isNumber)
  if (!areOptionalsValid) return false
  switch (value.outcome) {
    case 'text':
      return areLines(value.lines)
    case 'no-text':
      return true
    case 'failed':
      return isText(value.reason)
    default:
      return false
  }
}

export function isSharedEnd(value: unknown): value is SharedEnd {
  if (!isObject(value)) return false
  const { count, images, failed, failures, abandoned, label, at } = value
  const areCounts = [count, images, failed].every(isCount)
  if (!areCounts || !isNumber(at) || !isOptional(label, isText)) return false
  return isListOf(isFailedImage)(failures) && typeof abandoned === 'boolean'
}

export function isSharedAnswer(value: unknown): value is SharedAnswer {
  if (!isObject(value)) return false
  if (value.kind === 'refusal') return isText(value.reason)
  return value.kind === 'answer' && isText(value.model) && areLines(value.content)
}

export function isFinishedEntry(value: unknown): value is FinishedEntry {
  if (!isObject(value) || !isText(value.run) || !isRunId(value.run)) return false
  return value.state === 'complete' || value.state === 'abandoned'
}

const areLines = isListOf(isLine)

function isLine(value: unknown): value is TextLine {
  if (!isObject(value) || !isText(value.text) || !isNumber(value.confidence)) return false
  return isListOf((point) => isNumbers(point, 2))(value.polygon)
}

function isBox(value: unknown): value is BoxTuple {
  return isNumbers(value, 4)
}

function isFailedImage(value: unknown): boolean {
  return isObject(value) && isText(value.key) && isText(value.reason)
}

function isListOf(isItem: (item: unknown) => boolean): (value: unknown) => boolean {
  return (value) => Array.isArray(value) && value.every(isItem)
}

function isOptional(value: unknown, isValid: (value: unknown) => boolean): boolean {
  return value === undefined || isValid(value)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

function isNumbers(value: unknown, length: number): boolean {
  return Array.isArray(value) && value.length === length && value.every(isNumber)
}
