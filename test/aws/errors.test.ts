import { DetectTextCommand } from '@aws-sdk/client-rekognition'
import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3'
import { GetQueueUrlCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { describe, expect, test } from 'vitest'
import type { Clients } from '../../src/aws/clients.ts'
import type { Service } from '../../src/aws/error-codes.ts'
import { type AwsError, classify, toFailure } from '../../src/aws/errors.ts'
import { Failure, type FailureKind } from '../../src/flow/failure.ts'
import { ShutdownError, TimeoutError } from '../../src/host/shutdown.ts'
import { type Answer, FakeService, html, jsonError, s3Error } from './fake-service.ts'

const operations = {
  HeadBucket: ['s3', ({ s3 }: Clients) => s3.send(new HeadBucketCommand({ Bucket: 'b' }))],
  HeadObject: ['s3', ({ s3 }: Clients) => s3.send(new HeadObjectCommand({ Bucket: 'b', Key: 'k' }))],
  GetObject: ['s3', ({ s3 }: Clients) => s3.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }))],
  ListObjectsV2: ['s3', ({ s3 }: Clients) => s3.send(new ListObjectsV2Command({ Bucket: 'b' }))],
  GetQueueUrl: ['sqs', ({ sqs }: Clients) => sqs.send(new GetQueueUrlCommand({ QueueName: 'q' }))],
  ReceiveMessage: [
    'sqs',
    ({ sqs }: Clients) => sqs.send(new ReceiveMessageCommand({ QueueUrl: 'http://x/1/q' })),
  ],
  DetectText: [
    'rekognition',
    ({ rekognition }: Clients) =>
      rekognition.send(new DetectTextCommand({ Image: { Bytes: new Uint8Array([1]) } })),
  ],
} as const satisfies Record<string, readonly [Service, (clients: Clients) => Promise<unknown>]>

type Operation = keyof typeof operations

const fromS3 = { 'x-amz-request-id': 'R1' }
const empty = (status: number, headers = {}): Answer => ({ status, headers })
const sqsError = (status: number, type: string, query: string): Answer =>
  jsonError(status, `com.amazonaws.sqs#${type}`, 'said so', { 'x-amzn-query-error': `${query};Sender` })
const cut: Answer = { body: '{"half', headers: { 'content-type': 'application/x-amz-json-1.1' } }

/** As Rekognition names the parameter that it does not take. */
function brokenConstraint(path: string): string {
  return `1 validation error detected: Value ' 1.jpg' at '${path}' failed to satisfy constraint: Member must satisfy regular expression pattern: \\S.*`
}

const confirmed: [Operation, Answer, FailureKind, string][] = [
  [
    'GetObject',
    s3Error(403, 'AccessDenied'),
    'denied',
    'GetObject: access denied (403 AccessDenied: said so)',
  ],
  ['GetObject', s3Error(404, 'NoSuchKey'), 'subject', 'the object does not exist (404 NoSuchKey'],
  ['GetObject', s3Error(404, 'NoSuchBucket'), 'missing', 'the bucket does not exist (404 NoSuchBucket'],
  [
    'GetObject',
    s3Error(403, 'InvalidObjectState', '<StorageClass>DEEP_ARCHIVE</StorageClass>'),
    'subject',
    'archived in DEEP_ARCHIVE: restore it first (403 InvalidObjectState',
  ],
  ['GetObject', s3Error(503, 'SlowDown'), 'throttled', 'too many requests (503 SlowDown'],
  ['GetObject', s3Error(400, 'ExpiredToken'), 'credentials', 'expired (400 ExpiredToken'],
  ['GetObject', s3Error(403, 'InvalidAccessKeyId'), 'credentials', 'rejected (403 InvalidAccessKeyId'],
  ['GetObject', s3Error(403, 'RequestTimeTooSkewed'), 'host', 'clock is wrong (403 RequestTimeTooSkewed'],
  ['GetObject', s3Error(400, 'KMS.DisabledException'), 'denied', 'KMS key is disabled (400 KMS.Disabled'],
  ['GetObject', s3Error(500, 'InternalError'), 'transient', 'GetObject: failed (500 InternalError: said so)'],
  ['GetObject', s3Error(400, 'SomethingNew'), 'transient', 'failed (400 SomethingNew'],
  ['GetObject', s3Error(403, 'AccountProblem'), 'denied', 'account has a problem (403 AccountProblem'],
  [
    'ListObjectsV2',
    s3Error(400, 'AuthorizationHeaderMalformed', '<Region>eu-west-1</Region>'),
    'settings',
    'another region (400 AuthorizationHeaderMalformed',
  ],
  ['ListObjectsV2', s3Error(301, 'PermanentRedirect'), 'settings', 'another region (301 PermanentRedirect'],
  ['ListObjectsV2', s3Error(200, 'InternalError'), 'transient', 'failed (503 InternalError'],
  ['HeadObject', empty(403, fromS3), 'denied', 'HeadObject: access denied (403, no error code)'],
  ['HeadObject', empty(404, fromS3), 'subject', 'HeadObject: the object does not exist (404, no error code)'],
  ['HeadBucket', empty(404, fromS3), 'missing', 'HeadBucket: the bucket does not exist (404, no error code)'],
  ['HeadBucket', empty(403, { 'x-amz-bucket-region': 'eu-west-1' }), 'denied', 'access denied (403'],
  ['HeadBucket', empty(400, fromS3), 'transient', 'HeadBucket: failed (400, no error code)'],

  [
    'GetQueueUrl',
    sqsError(400, 'QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue'),
    'missing',
    'the queue does not exist (400 ',
  ],
  [
    'GetQueueUrl',
    jsonError(400, 'AWS.SimpleQueueService.NonExistentQueue'),
    'missing',
    'the queue does not exist',
  ],
  [
    'ReceiveMessage',
    sqsError(404, 'InvalidAddress', 'InvalidAddress'),
    'settings',
    'not valid in this region (404 InvalidAddress',
  ],
  ['ReceiveMessage', sqsError(403, 'OverLimit', 'OverLimit'), 'throttled', 'in flight (403 OverLimit'],
  [
    'ReceiveMessage',
    sqsError(400, 'KmsDisabled', 'KMS.DisabledException'),
    'settings',
    'KMS key is disabled (400 Kms',
  ],
  [
    'ReceiveMessage',
    sqsError(400, 'KmsNotFound', 'KMS.NotFoundException'),
    'settings',
    'KMS key does not exist',
  ],
  [
    'ReceiveMessage',
    sqsError(400, 'KmsInvalidState', 'KMS.InvalidStateException'),
    'settings',
    'cannot be used',
  ],
  [
    'ReceiveMessage',
    sqsError(400, 'KmsThrottled', 'KMS.ThrottlingException'),
    'throttled',
    'too many requests',
  ],
  [
    'ReceiveMessage',
    sqsError(400, 'KmsAccessDenied', 'KMS.AccessDeniedException'),
    'denied',
    'access denied',
  ],
  [
    'ReceiveMessage',
    jsonError(403, 'AccessDeniedException'),
    'denied',
    'access denied (403 AccessDeniedException',
  ],
  [
    'ReceiveMessage',
    jsonError(403, 'InvalidSignatureException', 'Signature expired: a is now earlier than b'),
    'host',
    'clock is wrong',
  ],
  ['ReceiveMessage', jsonError(403, 'InvalidSignatureException'), 'credentials', 'rejected'],

  ['DetectText', jsonError(400, 'ProvisionedThroughputExceededException'), 'throttled', 'too many requests'],
  [
    'DetectText',
    jsonError(400, 'InvalidImageFormatException'),
    'subject',
    'neither a valid JPEG nor a valid PNG (400',
  ],
  [
    'DetectText',
    jsonError(400, 'ImageTooLargeException'),
    'subject',
    'the image is too large (400 ImageTooLarge',
  ],
  [
    'DetectText',
    jsonError(400, 'InvalidS3ObjectException'),
    'unreadable',
    'the S3 object cannot be read (400',
  ],
  [
    'DetectText',
    jsonError(400, 'AccessDeniedException', 'User: a\nis not'),
    'denied',
    'AccessDeniedException: User: a is not)',
  ],
  [
    'DetectText',
    jsonError(500, 'InternalServerError'),
    'transient',
    'DetectText: failed (500 InternalServerError: said so)',
  ],
  ...['ValidationException', 'InvalidParameterException'].flatMap((code): typeof confirmed => [
    [
      'DetectText',
      jsonError(400, code, brokenConstraint('image.s3Object.name')),
      'unreadable',
      'no such key',
    ],
    [
      'DetectText',
      jsonError(400, code, brokenConstraint('image.bytes')),
      'subject',
      'image was not accepted',
    ],
  ]),
  ['DetectText', jsonError(403, 'SomethingNew'), 'transient', 'failed (403 SomethingNew'],
  ['DetectText', jsonError(404, 'constructor'), 'transient', 'failed (404 constructor'],
]

describe('what a service confirms', () => {
  test.each(confirmed)('%s %j: %s, %s', async (operation, answer, kind, words) => {
    const failure = await failureOf(operation, answer)
    expect(failure.kind).toBe(kind)
    expect(failure.message).toContain(words)
    expectOneClause(failure)
  })
})

describe('what is not AWS is transient', () => {
  const foreign: [string, Answer][] = [
    ['HTML 403', html(403)],
    ['HTML 404', html(404)],
    ['HTML 413', html(413)],
    ['HTML 502', html(502)],
    ['empty 400', empty(400)],
    ['empty 403', empty(403)],
    ['empty 404', empty(404)],
    ['empty 500', empty(500)],
    ['a redirect', empty(302, { location: 'http://login.example/' })],
    [
      'JSON of a gateway',
      { status: 403, body: '{"message":"Forbidden"}', headers: { 'content-type': 'application/json' } },
    ],
    ['a connection that is cut', (response) => response.socket?.destroy()],
    ['no HTTP at all', (response) => response.socket?.end('SSH-2.0\r\n')],
  ]
  const cases = Object.keys(operations).flatMap((operation) =>
    foreign.map(([name, answer]) => [operation as Operation, name, answer] as const),
  )
  test.each(cases)('%s: %s', async (operation, _name, answer) => {
    const failure = await failureOf(operation, answer)
    expect(failure.kind).toBe('transient')
    expectOneClause(failure)
  })

  test('its status and type are named', async () => {
    expect((await failureOf('DetectText', html(403))).message).toBe(
      'DetectText: the answer is not from AWS (403, text/html)',
    )
    expect((await failureOf('DetectText', html(200))).message).toBe(
      'DetectText: the answer is not from AWS (200, text/html)',
    )
    expect((await failureOf('DetectText', cut)).message).toBe(
      'DetectText: the answer is incomplete (200, application/x-amz-json-1.1)',
    )
    expect((await failureOf('GetObject', empty(500))).message).toBe('GetObject: failed (500, no error code)')
  })

  test('but a 429 is throttling, whoever says so', async () => {
    expect((await failureOf('DetectText', html(429))).kind).toBe('throttled')
  })
})

describe('errors that never were an answer', () => {
  const context = { service: 's3', operation: 'GetObject' } as const
  const nodeError = (code: string, message = `read ${code}`) => Object.assign(new Error(message), { code })
  const named = (name: string, message: string, cause?: unknown) =>
    Object.assign(new Error(message, { cause }), { name })
  const refusedTwice = Object.assign(
    new AggregateError([nodeError('ECONNREFUSED', 'connect ECONNREFUSED ::1:80')], ''),
    {
      code: 'ECONNREFUSED',
    },
  )

  test.each<[unknown, FailureKind, string]>([
    [nodeError('EMFILE'), 'host', 'GetObject: this process has too many open files (read EMFILE)'],
    [nodeError('ENFILE'), 'host', 'open files'],
    [nodeError('ENOMEM'), 'host', 'no memory'],
    [nodeError('ENOBUFS'), 'host', 'buffers'],
    [nodeError('EADDRNOTAVAIL'), 'host', 'no free port'],
    [nodeError('ENOTFOUND'), 'host', 'cannot be resolved'],
    [nodeError('EAI_AGAIN'), 'host', 'cannot be resolved'],
    // The SDK calls a reset a timeout.
    [
      Object.assign(nodeError('ECONNRESET', 'aborted'), { name: 'TimeoutError' }),
      'transient',
      'reset (aborted)',
    ],
    [refusedTwice, 'transient', 'GetObject: the connection was refused (connect ECONNREFUSED ::1:80)'],
    [nodeError('ERR_INVALID_URL'), 'settings', 'not a URL'],
    [
      named('CredentialsProviderError', 'Could not load credentials'),
      'credentials',
      'no usable AWS credentials (Could not',
    ],
    [named('AbortError', 'Request aborted'), 'timeout', 'GetObject: no answer in time'],
    [new TimeoutError('no result within 60 s'), 'timeout', 'GetObject: no result within 60 s'],
    [
      named('AbortError', 'Request aborted', new TimeoutError('no result within 5 s')),
      'timeout',
      'no result within 5 s',
    ],
    [
      AbortSignal.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')).reason,
      'timeout',
      'no answer in time',
    ],
    [new SyntaxError('Unexpected token'), 'transient', 'GetObject: failed (Unexpected token)'],
    ['a string', 'transient', 'failed (a string)'],
    [new Failure('timeout', 'GetObject', 'kept as it is'), 'timeout', 'kept as it is'],
  ])('%s', (error, kind, words) => {
    const failure = classify(error, context)
    expect(failure.kind).toBe(kind)
    expect(failure.message).toContain(words)
    expectOneClause(failure)
  })

  test('a shutdown is told by reasons, never by a name', () => {
    const stopped = AbortSignal.abort(new ShutdownError())
    const abort = named('AbortError', 'Request aborted')
    expect(() => toFailure(abort, { ...context, forced: stopped })).toThrow(ShutdownError)
    expect(() => toFailure(named('AbortError', 'x', new ShutdownError()), context)).toThrow(ShutdownError)
    expect(() => toFailure(new ShutdownError(), context)).toThrow(ShutdownError)
    expect(toFailure(abort, { ...context, forced: new AbortController().signal }).kind).toBe('timeout')
    expect(toFailure(abort, { ...context, forced: AbortSignal.abort(new TimeoutError('late')) }).kind).toBe(
      'timeout',
    )
  })
})

async function failureOf(operation: Operation, answer: Answer): Promise<AwsError> {
  await using fake = await FakeService.start(() => answer)
  const [service, send] = operations[operation]
  const error = await send(fake.clients).then(
    () => expect.unreachable('the request succeeded'),
    (error: unknown) => error,
  )
  return toFailure(error, { service, operation })
}

function expectOneClause({ message }: Error): void {
  expect(message).not.toMatch(/[\n\r]|UnknownError|hidden field|undefined/)
  expect(message.length).toBeLessThanOrEqual(300)
}
