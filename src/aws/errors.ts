/**
 * What an error of a service means for the work; everything above this file decides by the kind alone.
 * - throttle: slower, then again
 * - transient: again after a pause
 * - picture: this picture, for good
 * - object: S3Object could not be read; HeadObject tells whether it is the picture's fault
 * - gone: the object or its version is not there
 * - credentials: wait for new ones
 * - denied, missing: rights, bucket or queue; a person has to act
 * - stopped: we cut the call ourselves
 */
export type FaultKind =
  | 'throttle'
  | 'transient'
  | 'picture'
  | 'object'
  | 'gone'
  | 'credentials'
  | 'denied'
  | 'missing'
  | 'stopped'

/** Error names of Rekognition, S3 and SQS (their API references; facts measured against the SDK). */
const kinds: Readonly<Record<string, FaultKind>> = {
  ProvisionedThroughputExceededException: 'throttle',
  ThrottlingException: 'throttle',
  Throttling: 'throttle',
  LimitExceededException: 'throttle',
  RequestLimitExceeded: 'throttle',
  RequestThrottled: 'throttle',
  SlowDown: 'throttle',
  TooManyRequestsException: 'throttle',
  OverLimit: 'throttle',

  InvalidImageFormatException: 'picture',
  ImageTooLargeException: 'picture',
  InvalidParameterException: 'picture',
  ValidationException: 'picture',
  InvalidS3ObjectException: 'object',
  NoSuchKey: 'gone',
  NotFound: 'gone',
  NoSuchVersion: 'gone',
  PreconditionFailed: 'gone',

  ExpiredTokenException: 'credentials',
  ExpiredToken: 'credentials',
  RequestExpired: 'credentials',
  TokenRefreshRequired: 'credentials',
  UnrecognizedClientException: 'credentials',
  InvalidClientTokenId: 'credentials',
  InvalidAccessKeyId: 'credentials',
  InvalidToken: 'credentials',
  InvalidSignatureException: 'credentials',
  SignatureDoesNotMatch: 'credentials',
  RequestTimeTooSkewed: 'credentials',
  CredentialsProviderError: 'credentials',

  AccessDeniedException: 'denied',
  AccessDenied: 'denied',
  AllAccessDisabled: 'denied',
  AccountProblem: 'denied',
  OptInRequired: 'denied',
  SubscriptionRequiredException: 'denied',
  KmsAccessDenied: 'denied',

  NoSuchBucket: 'missing',
  PermanentRedirect: 'missing',
  QueueDoesNotExist: 'missing',
  QueueDeletedRecently: 'missing',
  'AWS.SimpleQueueService.NonExistentQueue': 'missing',
}

/** A service's answer, translated once, at the edge. */
export class Fault extends Error {
  readonly kind: FaultKind
  /** the service's own name of the error */
  readonly code: string

  constructor(kind: FaultKind, code: string, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'Fault'
    this.kind = kind
    this.code = code
  }
}

/** A fault of Rekognition in a call about one picture; all others are of S3, of SQS or our own. */
export class RecognitionFault extends Fault {}

/** @returns the error as a fault; what is not known is transient, for no unknown error may cost a picture */
export function toFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  const { name, message, status } = read(error)
  return new Fault(kindOf(name, status), name, message || name, error)
}

function kindOf(name: string, status: number | undefined): FaultKind {
  const known = kinds[name] ?? kinds[name.split('#').at(-1) ?? '']
  if (known) return known
  if (name === 'AbortError') return 'stopped'
  if (status === 429) return 'throttle'
  if (status === 403) return 'denied'
  if (status === 404) return 'gone'
  return 'transient'
}

function read(error: unknown): { name: string; message: string; status: number | undefined } {
  if (!(error instanceof Error)) return { name: 'Unknown', message: String(error), status: undefined }
  const metadata = '$metadata' in error ? (error.$metadata as { httpStatusCode?: number }) : undefined
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  const name = error.name === 'Error' || error.name === 'TypeError' ? (code ?? error.name) : error.name
  return { name, message: error.message, status: metadata?.httpStatusCode }
}

/** One sentence's worth of a fault for logs and for the reason of a failure. */
export function describeFault({ code, message }: Fault): string {
  return message.includes(code) ? message : `${code}: ${message}`
}
