import { Failure, type FailureKind } from '../flow/failure.ts'
import { ShutdownError, TimeoutError } from '../host/shutdown.ts'
import { type CodeMeaning, meaningOf, meaningOfNodeCode, type Service, words } from './error-codes.ts'
import { mayHaveBeenSent } from './sent-requests.ts'

export interface AwsErrorDetails {
  readonly service: Service
  readonly operation: string
  /** of HTTP; undefined when no answer came */
  readonly status?: number | undefined
  /** the service's own name of the error; '' when it gave none */
  readonly code?: string | undefined
  readonly requestId?: string | undefined
  /** the region of the bucket, where S3 named it */
  readonly bucketRegion?: string | undefined
  /** false when there was no connection to send it on. Default true */
  readonly wasSent?: boolean
  readonly cause?: unknown
}

/**
 * A failed request to a service. Its kind is `denied`, `missing`, `settings`, `subject`, `unreadable` or `credentials` only
 * when the service itself said so (or, for `credentials` and `settings`, when the request never left): what a proxy, a
 * captive portal or another server answers is `transient`.
 */
export class AwsError extends Failure {
  readonly service: Service
  readonly status: number | undefined
  readonly code: string
  readonly requestId: string | undefined
  readonly bucketRegion: string | undefined
  readonly #wasSent: boolean

  constructor(kind: FailureKind, message: string, details: AwsErrorDetails) {
    super(kind, details.operation, message, { cause: details.cause })
    this.name = 'AwsError'
    this.service = details.service
    this.status = details.status
    this.code = details.code ?? ''
    this.requestId = details.requestId
    this.bucketRegion = details.bucketRegion
    this.#wasSent = details.wasSent ?? true
  }

  /**
   * Whether the service may have done, and billed, what was asked of it: unless it, or what stood before it, has refused the
   * request, or the request never left.
   */
  get mayBeBilled(): boolean {
    if (!this.#wasSent) return false
    if (this.kind === 'subject' || this.kind === 'unreadable' || this.kind === 'timeout') return true
    if (this.kind !== 'transient') return false
    if (this.status === undefined) return true
    // A gateway may fail after it has passed the request on; what the service itself answers says that it has failed.
    const isGateways = gatewayFailures.has(this.status) && this.code === '' && this.requestId === undefined
    return this.status < 300 || isGateways
  }
}

export interface ErrorContext {
  readonly service: Service
  /** the operation's name in the API: `GetObject` */
  readonly operation: string
  /** the signal that aborts the request; its reason tells a shutdown from a timeout */
  readonly forced?: AbortSignal | undefined
}

/**
 * Classifies whatever a request threw.
 *
 * @throws {ShutdownError} when the request ended because of a shutdown
 */
export function toFailure(error: unknown, context: ErrorContext): AwsError {
  if (isShutdown(error, context.forced)) throw new ShutdownError()
  return classify(error, context)
}

/** The SDK throws an `AbortError` for shutdowns and timeouts alike: only the signal's reason tells them apart. */
function isShutdown(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted && signal.reason instanceof ShutdownError) return true
  return error instanceof ShutdownError || (error instanceof Error && error.cause instanceof ShutdownError)
}

/** @param error of a request that was not ended by a shutdown */
export function classify(error: unknown, context: ErrorContext): AwsError {
  if (error instanceof AwsError) return error
  if (error instanceof Failure) return new AwsError(error.kind, error.message, { ...context, cause: error })
  const facts = readFacts(error, context.service)
  const [kind, what] = explain(facts, context)
  const details = { ...context, ...facts, wasSent: mayHaveBeenSent(error), cause: error }
  return new AwsError(kind, sentence(context.operation, what, detailsText(kind, facts)), details)
}

/** An answer of 2xx without what such an answer always has: it is not the service's. */
export function incompleteAnswer(context: ErrorContext, what: string): AwsError {
  return new AwsError('transient', sentence(context.operation, what), { ...context, status: 200 })
}

/** Failures in one clause on one line: `GetObject: access denied (403 AccessDenied)`. */
export function sentence(operation: string, what: string, details = ''): string {
  const text = `${operation}: ${what}${details === '' ? '' : ` (${details})`}`
  // Services and proxies put line feeds, and what else they like, into their messages.
  const line = text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
  return line.length > maxMessageLength ? `${line.slice(0, maxMessageLength - 1)}…` : line
}

const maxMessageLength = 300
const gatewayFailures = new Set([500, 502, 504])

interface Facts {
  readonly name: string
  readonly message: string
  readonly code: string
  readonly nodeCode: string
  readonly status: number | undefined
  readonly contentType: string | undefined
  /** S3 itself answered: only it sends these headers */
  readonly isFromS3: boolean
  readonly requestId: string | undefined
  readonly bucketRegion: string | undefined
  readonly cause: unknown
  readonly storageClass: string | undefined
}

/** What SDK, Node and our own deadlines put on their errors; each property may be missing. */
interface RawError {
  name?: unknown
  message?: unknown
  code?: unknown
  cause?: unknown
  errors?: unknown
  Code?: unknown
  Region?: unknown
  StorageClass?: unknown
  $fault?: unknown
  $metadata?: { httpStatusCode?: number; requestId?: string }
  $response?: { statusCode?: number; headers?: Record<string, string> }
}

function readFacts(error: unknown, service: Service): Facts {
  const raw: RawError = typeof error === 'object' && error !== null ? error : { message: String(error) }
  const headers = raw.$response?.headers ?? {}
  const node = nodeErrorOf(raw)
  return {
    name: text(raw.name),
    message: text(raw.message) || text(node.message),
    code: serviceCode(raw, service),
    nodeCode: text(node.code),
    status: raw.$response?.statusCode ?? raw.$metadata?.httpStatusCode,
    contentType: headers['content-type'],
    isFromS3: headers['x-amz-request-id'] !== undefined || headers['x-amz-bucket-region'] !== undefined,
    requestId: raw.$metadata?.requestId,
    bucketRegion: headers['x-amz-bucket-region'] ?? (text(raw.Region) || undefined),
    cause: raw.cause,
    storageClass: text(raw.StorageClass) || undefined,
  }
}

/** Several addresses of a host that all fail make an `AggregateError` with an empty message. */
function nodeErrorOf(raw: RawError): RawError {
  const inner = [raw, ...(Array.isArray(raw.errors) ? raw.errors : []), raw.cause]
  return inner.find((each) => typeof each?.code === 'string' && text(each.message) !== '') ?? raw
}

/**
 * The code in the answer itself. The SDK makes names up for answers without one: `NotFound` of any 404, `Unknown`,
 * `UnknownError`; of S3 only <Code> counts.
 */
function serviceCode(raw: RawError, service: Service): string {
  if (raw.$fault === undefined) return ''
  const code = service === 's3' ? text(raw.Code) : text(raw.name)
  return /^(Unknown|UnknownError|Error)$/.test(code) ? '' : code
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function explain(facts: Facts, { service, operation }: ErrorContext): CodeMeaning {
  if (facts.code !== '') return refined(facts, meaningOf(service, facts.code)) ?? ofUnknownCode(facts)
  if (facts.status !== undefined) return ofAnswerWithoutCode(facts, service, operation)
  if (/(Credentials|Token)?ProviderError$/.test(facts.name))
    return ['credentials', 'there are no usable AWS credentials']
  const known = meaningOfNodeCode(facts.nodeCode)
  if (known) return known
  const silence = silenceOf(facts)
  return silence === undefined ? ['transient', words.failed] : ['timeout', silence]
}

function ofUnknownCode({ status }: Facts): CodeMeaning {
  return status === 429 ? ['throttled', words.throttled] : ['transient', words.failed]
}

/** Where one code stands for several things, the message tells which. */
function refined(
  { code, message, storageClass }: Facts,
  meaning: CodeMeaning | undefined,
): CodeMeaning | undefined {
  switch (code) {
    case 'InvalidSignatureException':
      return /signature (expired|not yet current)/i.test(message) ? ['host', words.clock] : meaning
    case 'InvalidObjectState':
      return ['subject', `the object is archived in ${storageClass ?? 'Glacier'}: restore it first`]
    case 'InvalidRequest':
      if (!/server.side encryption/i.test(message)) return meaning
      return ['subject', 'the object is encrypted with a key of its owner (SSE-C)']
    case 'InvalidParameterException':
    case 'ValidationException':
      // S3Object takes fewer keys than S3 has, none that begins with a space. Of the bytes nothing has been said.
      return / at '([\w.]+\.)?name' failed /i.test(message) ? unreadableReference : meaning
    default:
      return meaning
  }
}

const unreadableReference: CodeMeaning = ['unreadable', 'Rekognition takes no such key']

function ofAnswerWithoutCode(facts: Facts, service: Service, operation: string): CodeMeaning {
  const { status, isFromS3 } = facts
  if (service === 's3' && operation.startsWith('Head') && isFromS3) {
    // Answers to HEAD have no body, so no code.
    if (status === 403) return ['denied', words.denied]
    if (status === 404 && operation === 'HeadBucket') return ['missing', words.noBucket]
    if (status === 404) return ['subject', words.noObject]
    return ['transient', words.failed]
  }
  if (status === 429) return ['throttled', words.throttled]
  if (status !== undefined && !isForeign(facts)) {
    if (status >= 500) return ['transient', words.failed]
    if (status < 300 && facts.contentType) return ['transient', 'the answer is incomplete']
  }
  return ['transient', 'the answer is not from AWS']
}

function isForeign({ contentType = '' }: Facts): boolean {
  return contentType !== '' && !/json|xml/.test(contentType)
}

/** @returns undefined when it was no timeout */
function silenceOf({ name, message, cause }: Facts): string | undefined {
  const timeout = cause instanceof TimeoutError ? cause : undefined
  if (timeout) return timeout.message
  if (name !== 'TimeoutError' && name !== 'AbortError') return undefined
  const limitMs = Number(/(\d+) ms/.exec(message)?.[1])
  if (!limitMs)
    return name === 'TimeoutError' && !message.startsWith('The operation') ? message : 'no answer in time'
  const limit = `${limitMs / 1000} s`
  return message.includes('connection') ? `no connection within ${limit}` : `no answer within ${limit}`
}

function detailsText(kind: FailureKind, facts: Facts): string {
  const { status, code, message, nodeCode, contentType } = facts
  if (status !== undefined) {
    if (code !== '') return `${status} ${code}${wordsOf(message)}`
    return `${status}, ${isForeign(facts) || status < 300 ? (contentType ?? 'no content type') : 'no error code'}`
  }
  if (kind === 'timeout' && nodeCode === '') return ''
  return message
}

/** The service's own message, if it adds something. */
function wordsOf(message: string): string {
  const said = message.trim().replace(/\.$/, '')
  return said === '' || said === 'UnknownError' ? '' : `: ${said}`
}
