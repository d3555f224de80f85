import { expect, test } from 'vitest'
import { verifyCredentials } from '../../src/aws/verify-credentials.ts'
import { type Answer, FakeService, html, json, jsonError, s3Error, xml } from './fake-service.ts'

const settings = { bucket: 'images', prefix: '', queue: 'cars' }
const denied = jsonError(403, 'AccessDeniedException')
const listing = xml(200, '<ListBucketResult><Name>images</Name></ListBucketResult>')

/** SQS takes POST requests, S3 a GET. */
function verify(sqs: Answer, s3: Answer = listing) {
  return FakeService.start(({ method }) => (method === 'POST' ? sqs : s3)).then(async (service) => {
    await using fake = service
    return await verifyCredentials(fake.clients, settings, AbortSignal.timeout(5000))
  })
}

test.each<[string, Answer, Answer, string | undefined]>([
  ['a queue', json(200, { QueueUrl: 'http://127.0.0.1/1/cars' }), listing, undefined],
  ['throttling', jsonError(400, 'ThrottlingException'), listing, undefined],
  [
    'no queue',
    jsonError(400, 'QueueDoesNotExist'),
    listing,
    'the queue "cars" does not exist: create it with',
  ],
  ['a denied queue', denied, listing, 'access to the queue "cars" is denied: grant sqs:GetQueueUrl'],
  ['a denied queue, no bucket', denied, s3Error(404, 'NoSuchBucket'), 'access to the queue "cars" is denied'],
])('%s: AWS knows the credentials', async (_name, sqs, s3, lacking) => {
  expect(await verify(sqs, s3)).toEqual(lacking === undefined ? undefined : expect.stringContaining(lacking))
})

test.each<[string, Answer, Answer, string, RegExp]>([
  [
    'expired',
    jsonError(403, 'ExpiredTokenException'),
    listing,
    'permission',
    /^AWS does not accept them: .*the credentials have expired .*; start the session again and copy/,
  ],
  [
    'wrong',
    jsonError(403, 'UnrecognizedClientException'),
    listing,
    'permission',
    /^AWS does not accept them: .*the credentials were rejected .*; copy the access key, the secret key and/,
  ],
  [
    'locked out',
    denied,
    s3Error(403, 'AccessDenied'),
    'permission',
    /^AWS knows them but denies both the queue "cars" and the bucket "images" .*learner lab/,
  ],
  [
    'a proxy',
    html(503),
    listing,
    'unavailable',
    /^They cannot be checked: .*not from AWS.*, or use --no-check\.$/,
  ],
  [
    'a wrong clock',
    jsonError(403, 'RequestExpired'),
    listing,
    'settings',
    /^They cannot be checked: .*clock/,
  ],
])('%s', async (_name, sqs, s3, reason, message) => {
  await expect(verify(sqs, s3)).rejects.toMatchObject({ reason, message: expect.stringMatching(message) })
})
