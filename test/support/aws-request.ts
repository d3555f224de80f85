import type { IncomingMessage } from 'node:http'

export type Service = 's3' | 'sqs' | 'rekognition'

/** A request of the AWS SDK as it passes by. */
export interface AwsRequest {
  readonly service: Service
  /** by the SDK's name: `GetObject`, `SendMessageBatch`, `DetectLabels` */
  readonly operation: string
  /** whose credentials signed it */
  readonly accessKey: string | undefined
  /** of S3: bucket and key, percent-encoded, without the query */
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Buffer
}

export function readAwsRequest(request: IncomingMessage, body: Buffer): AwsRequest {
  const accessKey = /Credential=([^/]+)/.exec(request.headers.authorization ?? '')?.[1]
  const [target = '', operation = ''] = String(request.headers['x-amz-target'] ?? '').split('.')
  const [path = '', search = ''] = (request.url ?? '').split('?')
  const common = { accessKey, path, query: new URLSearchParams(search), body }
  if (target === 'AmazonSQS') return { service: 'sqs', operation, ...common }
  if (target === 'RekognitionService') return { service: 'rekognition', operation, ...common }
  return { service: 's3', operation: s3Operation(request), ...common }
}

/** @returns the key of the S3 object that a request is about; undefined for any other, such as one by an image's bytes */
export function objectKeyOf({ service, path, body }: AwsRequest): string | undefined {
  if (service === 's3') return decodeURIComponent(path.split('/').slice(2).join('/')) || undefined
  if (service !== 'rekognition') return undefined
  const { Image }: { Image?: { S3Object?: { Name: string } } } = JSON.parse(body.toString())
  return Image?.S3Object?.Name
}

/** S3 speaks REST: the operation is in the method and in whether the path (path style) goes on after the bucket. */
function s3Operation({ method = '', url = '' }: IncomingMessage): string {
  const [path = ''] = url.split('?')
  const isObject = path.split('/').filter(Boolean).length > 1
  if (!isObject) return method === 'GET' ? 'ListObjectsV2' : method === 'HEAD' ? 'HeadBucket' : 'CreateBucket'
  const verb = { GET: 'Get', HEAD: 'Head', PUT: 'Put', DELETE: 'Delete' }[method]
  return `${verb ?? method}Object`
}

/**
 * Why a service says no. The last four are about an object: Rekognition, which reads it with the caller's permissions, has
 * one answer for all of them.
 */
export type Refusal =
  | 'throttled'
  | 'broken'
  | 'unavailable'
  | 'expired'
  | 'denied'
  | 'not an image'
  | 'object denied'
  | 'key denied'
  | 'object archived'
  | 'object broken'

type ErrorAnswer = readonly [status: number, code: string, message?: string, details?: string]

const role = 'User: arn:aws:sts::123456789012:assumed-role/LabRole/i-0 is not authorized to perform'
const unreadable: ErrorAnswer = [
  400,
  'InvalidS3ObjectException',
  'Unable to get object metadata from S3. Check object key, region and/or access permissions.',
]
const notOfSqs: ErrorAnswer = [500, 'InternalFailure']

/** Status, error code, message and further XML elements as each service gives them (their API references, common errors). */
const refusals: Readonly<Record<Refusal, Readonly<Record<Service, ErrorAnswer>>>> = {
  throttled: {
    s3: [503, 'SlowDown'],
    sqs: [400, 'ThrottlingException'],
    rekognition: [400, 'ProvisionedThroughputExceededException'],
  },
  broken: {
    s3: [500, 'InternalError'],
    sqs: [500, 'InternalFailure'],
    rekognition: [500, 'InternalServerError'],
  },
  unavailable: {
    s3: [503, 'ServiceUnavailable'],
    sqs: [503, 'ServiceUnavailable'],
    rekognition: [503, 'ServiceUnavailableException'],
  },
  expired: {
    s3: [400, 'ExpiredToken'],
    sqs: [403, 'ExpiredTokenException'],
    rekognition: [400, 'ExpiredTokenException'],
  },
  denied: {
    s3: [403, 'AccessDenied'],
    sqs: [403, 'AccessDeniedException'],
    rekognition: [400, 'AccessDeniedException'],
  },
  'not an image': {
    s3: [500, 'InternalError'],
    sqs: [500, 'InternalFailure'],
    rekognition: [400, 'InvalidImageFormatException'],
  },
  'object denied': {
    s3: [403, 'AccessDenied', `${role}: s3:GetObject with an explicit deny in a resource-based policy`],
    sqs: notOfSqs,
    rekognition: unreadable,
  },
  'key denied': {
    s3: [
      403,
      'AccessDenied',
      `${role}: kms:Decrypt on resource: arn:aws:kms:us-east-1:123456789012:key/1 because no identity-based policy allows the kms:Decrypt action`,
    ],
    sqs: notOfSqs,
    rekognition: unreadable,
  },
  'object archived': {
    s3: [
      403,
      'InvalidObjectState',
      "The operation is not valid for the object's storage class",
      '<StorageClass>GLACIER</StorageClass>',
    ],
    sqs: notOfSqs,
    rekognition: unreadable,
  },
  'object broken': {
    s3: [500, 'InternalError', 'We encountered an internal error. Please try again.'],
    sqs: notOfSqs,
    rekognition: unreadable,
  },
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** The answer of a service that refuses. */
export function refusalAnswer(service: Service, refusal: Refusal): Answer {
  const given = refusals[refusal][service]
  const [status, code, message = `${refusal}, says the fault proxy`, details = ''] = given
  if (service === 's3') {
    const text = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message>${details}<RequestId>${requestId}</RequestId></Error>`
    return withHeaders(answer(status, 'application/xml', text), { 'x-amz-request-id': requestId })
  }
  const text = JSON.stringify({ __type: code, message })
  return withHeaders(answer(status, contentTypes[service], text), { 'x-amzn-requestid': requestId })
}

/** By this header an answer without a body, as to HEAD, is known to be the service's. */
const requestId = '4442587FB7D0A2F9'

function withHeaders(given: Answer, headers: Answer['headers']): Answer {
  return { ...given, headers: { ...given.headers, ...headers } }
}

const contentTypes = { sqs: 'application/x-amz-json-1.0', rekognition: 'application/x-amz-json-1.1' }

/** The answer of something that is not AWS: a proxy, a captive portal, a load balancer. */
export function pageAnswer(status: number): Answer {
  return answer(
    status,
    'text/html',
    '<!DOCTYPE html><html><head><title>Proxy</title></head><body>Sorry</body></html>',
  )
}

export function emptyAnswer(status: number): Answer {
  return { status, headers: { 'content-length': '0' }, body: Buffer.alloc(0) }
}

/** What SQS says when it has deleted, of a delete that it never got. */
export function pretendedDelete({ operation, body }: AwsRequest): Answer {
  if (operation !== 'DeleteMessageBatch') return answer(200, contentTypes.sqs, '{}')
  const { Entries = [] }: { Entries?: { Id: string }[] } = JSON.parse(body.toString())
  const Successful = Entries.map(({ Id }) => ({ Id }))
  return answer(200, contentTypes.sqs, JSON.stringify({ Successful, Failed: [] }))
}

/** The same messages, each held back by the queue for so many seconds as the dice say. FIFO queues allow none. */
export function withDelays({ operation, body }: AwsRequest, seconds: () => number): Buffer {
  const request = JSON.parse(body.toString())
  if (String(request.QueueUrl).endsWith('.fifo')) return body
  const entries = operation === 'SendMessageBatch' ? request.Entries : [request]
  for (const entry of entries) entry.DelaySeconds = seconds()
  return Buffer.from(JSON.stringify(request))
}

function answer(status: number, contentType: string, text: string): Answer {
  const body = Buffer.from(text)
  return { status, headers: { 'content-type': contentType, 'content-length': String(body.length) }, body }
}
