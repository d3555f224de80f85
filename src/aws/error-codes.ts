import type { FailureKind } from '../flow/failure.ts'

export type Service = 's3' | 'sqs' | 'rekognition'

/** What a code of a service means: the kind of failure, and the words for it. */
export type CodeMeaning = readonly [kind: FailureKind, words: string]

/** Words that several codes share. */
export const words = {
  denied: 'access denied',
  throttled: 'too many requests',
  expired: 'the credentials have expired',
  rejected: 'the credentials were rejected',
  clock: "this machine's clock is wrong",
  noBucket: 'the bucket does not exist',
  noObject: 'the object does not exist',
  failed: 'failed',
} as const

const throttled: CodeMeaning = ['throttled', words.throttled]
const denied: CodeMeaning = ['denied', words.denied]
const expired: CodeMeaning = ['credentials', words.expired]
const rejected: CodeMeaning = ['credentials', words.rejected]
const clock: CodeMeaning = ['host', words.clock]
const wrongRegion: CodeMeaning = ['settings', 'the bucket is in another region']
const noObject: CodeMeaning = ['subject', words.noObject]
const noQueue: CodeMeaning = ['missing', 'the queue does not exist']
const queueExists: CodeMeaning = ['settings', 'the queue exists with other attributes or cannot be seen']
/** Of a whole request; in the entry of a batch such a code is about the entry. */
export const invalidRequest: CodeMeaning = ['settings', 'the request is not valid for this service']

/**
 * Codes that any service may send (the services' pages "Common errors"; S3 and the query protocol have other names for the
 * same things).
 */
const commonCodes: Readonly<Record<string, CodeMeaning>> = {
  Throttling: throttled,
  ThrottlingException: throttled,
  ThrottledException: throttled,
  RequestThrottled: throttled,
  RequestThrottledException: throttled,
  RequestLimitExceeded: throttled,
  TooManyRequestsException: throttled,
  LimitExceededException: throttled,
  ServiceQuotaExceededException: throttled,

  ExpiredToken: expired,
  ExpiredTokenException: expired,
  TokenRefreshRequired: expired,
  UnrecognizedClientException: rejected,
  InvalidClientTokenId: rejected,
  InvalidAccessKeyId: rejected,
  InvalidToken: rejected,
  InvalidSignatureException: rejected,
  SignatureDoesNotMatch: rejected,
  IncompleteSignature: rejected,
  IncompleteSignatureException: rejected,
  MissingAuthenticationToken: rejected,
  MissingAuthenticationTokenException: rejected,
  AuthFailure: rejected,

  RequestTimeTooSkewed: clock,
  RequestExpired: clock,

  AccessDenied: denied,
  AccessDeniedException: denied,
  UnauthorizedOperation: denied,
  NotAuthorized: denied,
  OptInRequired: ['denied', 'the account has not opted in to the service or region'],
  SubscriptionRequiredException: ['denied', 'the account has no subscription to the service'],
  AccountProblem: ['denied', 'the AWS account has a problem'],
}

const s3Codes: Readonly<Record<string, CodeMeaning>> = {
  SlowDown: throttled,
  BandwidthLimitExceeded: throttled,

  NoSuchBucket: ['missing', words.noBucket],
  NoSuchKey: noObject,
  NoSuchVersion: noObject,
  InvalidObjectState: ['subject', 'the object is archived: restore it first'],
  PreconditionFailed: ['subject', 'the object was changed meanwhile'],
  KeyTooLongError: ['subject', 'the key is too long'],
  InvalidRange: ['subject', 'the object is empty'],

  AllAccessDisabled: denied,
  NotSignedUp: ['denied', 'the account is not signed up for S3'],
  InvalidPayer: denied,
  // The key belongs to the object: other objects of the bucket may have another one, or none. As a denial it is
  // attributed by what happens to them.
  'KMS.DisabledException': ['denied', "the object's KMS key is disabled"],
  'KMS.NotFoundException': ['denied', "the object's KMS key does not exist"],
  'KMS.InvalidStateException': ['denied', "the object's KMS key cannot be used"],
  'KMS.KMSInvalidStateException': ['denied', "the object's KMS key cannot be used"],
  'KMS.InvalidKeyUsageException': ['denied', "the object's KMS key cannot be used"],
  'KMS.AccessDeniedException': denied,
  'KMS.ThrottlingException': throttled,

  InvalidBucketName: ['settings', 'the bucket name is not valid'],
  AuthorizationHeaderMalformed: wrongRegion,
  PermanentRedirect: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  NotImplemented: ['settings', 'the service does not support the request'],
}

const sqsCodes: Readonly<Record<string, CodeMeaning>> = {
  OverLimit: ['throttled', 'too many messages are in flight'],
  KmsThrottled: throttled,
  'KMS.ThrottlingException': throttled,

  QueueDoesNotExist: noQueue,
  NonExistentQueue: noQueue,
  InvalidAddress: ['settings', 'the queue URL is not valid in this region'],
  InvalidSecurity: ['settings', 'the request must use HTTPS'],
  UnsupportedOperation: invalidRequest,
  InvalidAttributeName: invalidRequest,
  InvalidAttributeValue: invalidRequest,
  InvalidParameterValue: invalidRequest,
  MissingParameter: invalidRequest,
  QueueNameExists: queueExists,
  QueueAlreadyExists: queueExists,
  KmsDisabled: ['settings', "the queue's KMS key is disabled"],
  'KMS.DisabledException': ['settings', "the queue's KMS key is disabled"],
  KmsNotFound: ['settings', "the queue's KMS key does not exist"],
  'KMS.NotFoundException': ['settings', "the queue's KMS key does not exist"],
  KmsInvalidState: ['settings', "the queue's KMS key cannot be used"],
  'KMS.InvalidStateException': ['settings', "the queue's KMS key cannot be used"],
  KmsInvalidKeyUsage: ['settings', "the queue's KMS key cannot be used"],
  'KMS.InvalidKeyUsageException': ['settings', "the queue's KMS key cannot be used"],

  KmsAccessDenied: denied,
  'KMS.AccessDeniedException': denied,
  KmsOptInRequired: denied,
  'KMS.OptInRequired': denied,

  ReceiptHandleIsInvalid: ['subject', 'the receipt handle is not valid any more'],
  InvalidMessageContents: ['subject', 'the message contains characters that SQS does not accept'],
}

const rekognitionCodes: Readonly<Record<string, CodeMeaning>> = {
  ProvisionedThroughputExceededException: throttled,

  InvalidImageFormatException: ['subject', 'the image is neither a valid JPEG nor a valid PNG'],
  ImageTooLargeException: ['subject', 'the image is too large'],
  InvalidParameterException: ['subject', 'the image was not accepted'],
  ValidationException: ['subject', 'the image was not accepted'],
  InvalidS3ObjectException: ['unreadable', 'the S3 object cannot be read'],

  ResourceNotFoundException: invalidRequest,
  UnknownOperationException: ['settings', 'the service does not support the operation'],
}

const codes: Readonly<Record<Service, Readonly<Record<string, CodeMeaning>>>> = {
  s3: s3Codes,
  sqs: sqsCodes,
  rekognition: rekognitionCodes,
}

/** @returns undefined for a code that the service is not known to send */
export function meaningOf(service: Service, code: string): CodeMeaning | undefined {
  // Codes of the query protocol have this prefix: AWS.SimpleQueueService.NonExistentQueue.
  const name = service === 'sqs' ? code.replace(/^AWS\.SimpleQueueService\./, '') : code
  return lookUp(codes[service], name) ?? lookUp(commonCodes, name)
}

/** Codes come from outside: `constructor` is none. */
function lookUp(table: Readonly<Record<string, CodeMeaning>>, code: string): CodeMeaning | undefined {
  return Object.hasOwn(table, code) ? table[code] : undefined
}

/** Faults of this machine, by the code of Node's error. */
const hostCodes: Readonly<Record<string, string>> = {
  EMFILE: 'this process has too many open files',
  ENFILE: 'this machine has too many open files',
  ENOMEM: 'this machine has no memory left',
  ENOBUFS: 'this machine has no network buffers left',
  EADDRNOTAVAIL: 'this machine has no free port or address',
  ENOTFOUND: 'the host name cannot be resolved',
  EAI_AGAIN: 'the host name cannot be resolved at present',
  CERT_NOT_YET_VALID: `the certificate is not valid yet; ${words.clock}, or something else answers`,
  CERT_HAS_EXPIRED: `the certificate has expired; ${words.clock}, or something else answers`,
}

const networkCodes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was reset',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection was closed before the end of the answer',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EPROTO: 'no TLS connection is possible',
}

/** What an error of Node's network stack means; unknown ones are transient. */
export function meaningOfNodeCode(code: string): CodeMeaning | undefined {
  if (Object.hasOwn(hostCodes, code)) return ['host', hostCodes[code] ?? code]
  if (Object.hasOwn(networkCodes, code)) return ['transient', networkCodes[code] ?? code]
  if (code === 'ETIMEDOUT') return ['timeout', 'no connection in time']
  if (code === 'ERR_INVALID_URL') return ['settings', "the service's address is not a URL"]
  if (code.startsWith('HPE_')) return ['transient', 'the answer is not from AWS']
  return undefined
}
