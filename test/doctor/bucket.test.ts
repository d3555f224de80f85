import { describe, expect, it } from 'vitest'
import { checkBucket, checkResultsBucket } from '../../src/doctor/bucket.ts'
import { type Answer, type FakeRequest, FakeService, html, s3Error, xml } from '../aws/fake-service.ts'

const question = { bucket: 'cars', prefix: 'photos/', region: 'us-east-1', role: 'both' } as const
const signal = () => AbortSignal.timeout(5000)

function page(keys: readonly string[], { storageClass = 'STANDARD', isTruncated = false } = {}): Answer {
  const contents = keys.map(
    (key) =>
      `<Contents><Key>${key}</Key><ETag>"e"</ETag><Size>5</Size><StorageClass>${storageClass}</StorageClass></Contents>`,
  )
  const next = isTruncated ? '<NextContinuationToken>t</NextContinuationToken>' : ''
  const head = `<Name>cars</Name><IsTruncated>${isTruncated}</IsTruncated>${next}`
  return xml(200, `<ListBucketResult>${head}${contents.join('')}</ListBucketResult>`)
}

const operationOf = ({ method, query }: FakeRequest) =>
  method === 'HEAD' ? 'HeadBucket' : query.has('list-type') ? 'ListObjectsV2' : 'GetObject'

/** A bucket in which all is well, but for the answers that a test gives. */
async function check(answers: Record<string, Answer>, more: Partial<Parameters<typeof checkBucket>[1]> = {}) {
  const well: Record<string, Answer> = {
    HeadBucket: { headers: { 'x-amz-request-id': 'R1', 'x-amz-bucket-region': 'us-east-1' } },
    ListObjectsV2: page(['photos/1.jpg', 'photos/notes.txt']),
    GetObject: { status: 206, headers: { etag: '"e"', 'x-amz-request-id': 'R1' }, body: 'x' },
  }
  await using fake = await FakeService.start((request) => {
    const operation = operationOf(request)
    return answers[operation] ?? well[operation] ?? html(500)
  })
  const finding = await checkBucket(fake.clients.s3, { ...question, ...more }, signal())
  return { finding, requests: fake.requests.map(operationOf) }
}

const headDenied = { status: 403, headers: { 'x-amz-request-id': 'R1' } }

describe('a bucket that can be used', () => {
  it('names region and images, and is asked three times', async () => {
    const { finding, requests } = await check({})
    expect(finding).toMatchObject({ verdict: 'ok', detail: 'cars: readable, 1 image, in us-east-1' })
    expect(requests).toEqual(['HeadBucket', 'ListObjectsV2', 'GetObject'])
  })

  it.each<[string, Record<string, Answer>, string]>([
    ['HEAD is denied, the prefix may be listed', { HeadBucket: headDenied }, 'cars: readable, 1 image'],
    [
      'in another region',
      { HeadBucket: { headers: { 'x-amz-request-id': 'R1', 'x-amz-bucket-region': 'eu-west-1' } } },
      'in eu-west-1 (images are sent to Rekognition in us-east-1 as bytes)',
    ],
    [
      'more than a page',
      { ListObjectsV2: page(['photos/1.png'], { isTruncated: true }) },
      '1 images or more',
    ],
    ['an empty image', { GetObject: s3Error(416, 'InvalidRange') }, '1 image'],
    [
      'no image yet',
      { ListObjectsV2: page(['photos/a'], { isTruncated: true }) },
      'no image among its first keys',
    ],
  ])('%s', async (_, answers, detail) => {
    const { finding } = await check(answers)
    expect(finding.verdict).toBe('ok')
    expect(finding.detail).toContain(detail)
  })
})

describe('a bucket that cannot', () => {
  it.each<[string, Record<string, Answer>, { reason: string; detail: string; remedy: string }]>([
    [
      'does not exist',
      { HeadBucket: { status: 404, headers: { 'x-amz-request-id': 'R1' } } },
      { reason: 'settings', detail: 'does not exist', remedy: 'setting "bucket"' },
    ],
    [
      'may not be listed',
      { HeadBucket: headDenied, ListObjectsV2: s3Error(403, 'AccessDenied') },
      { reason: 'permission', detail: 'ListObjectsV2: access denied', remedy: 's3:ListBucket' },
    ],
    [
      'may not be read',
      { GetObject: s3Error(403, 'AccessDenied') },
      { reason: 'permission', detail: 'GetObject: access denied', remedy: 's3:GetObject' },
    ],
    [
      'is answered by something else',
      { HeadBucket: html(200), ListObjectsV2: html(200) },
      { reason: 'unavailable', detail: 'not from AWS', remedy: 'network' },
    ],
  ])('%s', async (_, answers, { reason, detail, remedy }) => {
    const { finding } = await check(answers)
    expect(finding).toMatchObject({
      verdict: 'fail',
      reason,
      detail: expect.stringContaining(detail),
      remedy: expect.stringContaining(remedy),
    })
  })

  it('is silent', async () => {
    await using fake = await FakeService.start(() => () => undefined)
    const finding = await checkBucket(fake.clients.s3, question, AbortSignal.timeout(100))
    expect(finding).toMatchObject({ verdict: 'fail', detail: 'cars: HeadBucket: no answer in time' })
  })
})

it.each<[string, Answer, string]>([
  ['no images', page(['photos/notes.txt']), 'cars under "photos/": holds no images'],
  [
    'only archived images',
    page(['photos/1.jpg'], { storageClass: 'GLACIER' }),
    'the first 1 images are archived',
  ],
])('%s are a warning', async (_, listing, detail) => {
  const { finding } = await check({ ListObjectsV2: listing })
  expect(finding).toMatchObject({ verdict: 'warn', detail: expect.stringContaining(detail) })
})

it('a reader works without s3:ListBucket', async () => {
  const answers = { HeadBucket: headDenied, ListObjectsV2: s3Error(403, 'AccessDenied') }
  expect((await check(answers, { role: 'reader' })).finding.verdict).toBe('skip')
  expect((await check(answers, { role: 'detector' })).finding.verdict).toBe('fail')
})

it.each<[string, Answer, object]>([
  ['can be listed', page([]), { verdict: 'ok' }],
  ['may not be listed', s3Error(403, 'AccessDenied'), { verdict: 'fail', reason: 'permission' }],
  [
    'does not exist',
    s3Error(404, 'NoSuchBucket'),
    { verdict: 'fail', remedy: expect.stringContaining('create it') },
  ],
])('a results bucket that %s', async (_, listing, expected) => {
  await using fake = await FakeService.start((request) => (request.method === 'HEAD' ? headDenied : listing))
  expect(await checkResultsBucket(fake.clients.s3, 'shared', signal())).toMatchObject(expected)
})
