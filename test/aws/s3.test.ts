import type { ServerResponse } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import { type PageStart, S3Images } from '../../src/aws/s3.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import { type Answer, type FakeRequest, FakeService, html, noShutdown, s3Error, xml } from './fake-service.ts'

const etag = '"e1"'
const ids = { 'x-amz-request-id': 'R1' }
const fromS3 = { etag, ...ids }
const bucket = 'njit-cs-643'

function page(keys: string[], next: { truncated: boolean; token?: string }): Answer {
  const contents = keys.map(
    (key) => `<Contents><Key>${key}</Key><ETag>"${key}"</ETag><Size>5</Size></Contents>`,
  )
  const token = next.token === undefined ? '' : `<NextContinuationToken>${next.token}</NextContinuationToken>`
  const head = `<Name>${bucket}</Name><KeyCount>${keys.length}</KeyCount><EncodingType>url</EncodingType>`
  return xml(
    200,
    `<ListBucketResult>${head}<IsTruncated>${next.truncated}</IsTruncated>${token}${contents.join('')}</ListBucketResult>`,
  )
}

describe('listing', () => {
  /** All keys, with one retry of each page, as a caller has it. */
  async function listAll(answer: (request: FakeRequest, count: number) => Answer) {
    await using fake = await FakeService.start(answer)
    const images = new S3Images(fake.clients.s3, noShutdown)
    const keys: string[] = []
    const failures: string[] = []
    let start: PageStart | undefined = { after: '' }
    while (start && failures.length < 3 && keys.length < 10) {
      const from: PageStart = start
      const lastKey = keys.at(-1) ?? ''
      try {
        const { objects, next } = await images.listPage({ bucket, prefix: '', lastKey, ...from })
        keys.push(...objects.map(({ key }) => key))
        start = next
      } catch (error) {
        failures.push(error instanceof Error ? error.message : String(error))
      }
    }
    return { keys, failures, queries: fake.requests.map(({ query }) => query) }
  }

  const threePages = ({ query }: FakeRequest): Answer => {
    const token = query.get('continuation-token')
    if (token === 'to-3') return page(['3.jpg'], { truncated: false })
    if (token === 'to-2') return page(['2.jpg'], { truncated: true, token: 'to-3' })
    return page(['1.jpg'], { truncated: true, token: 'to-2' })
  }
  const all = ['1.jpg', '2.jpg', '3.jpg']

  test('follows the tokens to the end', async () => {
    const { keys, queries } = await listAll(threePages)
    expect(keys).toEqual(all)
    expect(queries.map((query) => query.get('encoding-type'))).toEqual(['url', 'url', 'url'])
  })

  test('a key that comes twice is taken once', async () => {
    const twice = ({ query }: FakeRequest): Answer =>
      query.get('continuation-token') === null
        ? page(['1.jpg', '1.jpg', '2.jpg'], { truncated: true, token: 'more' })
        : page(['2.jpg', '3.jpg'], { truncated: false })
    expect((await listAll(twice)).keys).toEqual(all)
  })

  test('keys that are not in order, as in directory buckets, are a failure', async () => {
    const { keys, failures } = await listAll(() => page(['2.jpg', '1.jpg'], { truncated: false }))
    expect(keys).toEqual([])
    expect(failures[0]).toBe('ListObjectsV2: the keys are not listed in order: 1.jpg after 2.jpg')
  })

  test('a truncated page without keys goes on', async () => {
    const { keys, failures } = await listAll((request) => {
      if (request.query.get('continuation-token') !== 'to-2') return threePages(request)
      return page([], { truncated: true, token: 'to-3' })
    })
    expect({ keys, failures }).toEqual({ keys: ['1.jpg', '3.jpg'], failures: [] })
  })

  test('a truncated page without a token goes on behind its last key', async () => {
    const { keys } = await listAll(({ query }) => {
      const after = query.get('start-after')
      return after === '2.jpg'
        ? page(['3.jpg'], { truncated: false })
        : page(['1.jpg', '2.jpg'], { truncated: true })
    })
    expect(keys).toEqual(all)
  })

  const half = `<ListBucketResult><Name>${bucket}</Name><Contents><Key>2.jpg</Key><Size>5</Size></Contents>`
  test.each<[string, Answer]>([
    ['an empty 200', { headers: { 'content-type': 'application/xml' } }],
    ['HTML', html(200)],
    ['a body that is cut but ends', xml(200, half)],
    ['a page without IsTruncated', xml(200, `${half}</ListBucketResult>`)],
    ['an error with status 200', s3Error(200, 'InternalError')],
    ['another document', xml(200, '<Hello><IsTruncated>false</IsTruncated></Hello>')],
    ['a connection that breaks', (response) => breakAfter(response, half)],
    [
      'a key without its size',
      xml(
        200,
        `<ListBucketResult><Name>${bucket}</Name><IsTruncated>false</IsTruncated><Contents><Key>2.jpg</Key></Contents></ListBucketResult>`,
      ),
    ],
  ])('%s is no page: the listing goes on where it was', async (_name, odd) => {
    let isOdd = true
    const { keys, failures } = await listAll((request) => {
      if (!isOdd || request.query.get('continuation-token') !== 'to-2') return threePages(request)
      isOdd = false
      return odd
    })
    expect(keys).toEqual(all)
    expect(failures).toHaveLength(1)
  })

  test.each<[string, (count: number) => Answer]>([
    ['the same page again', (count) => page(['1.jpg'], { truncated: true, token: `other-${count}` })],
    ['the same token again', (count) => page([`2-${100 + count}.jpg`], { truncated: true, token: 'to-2' })],
    ['neither keys nor a token', () => page([], { truncated: true })],
  ])('%s is a failure, not a loop', async (_name, stuck) => {
    const { failures } = await listAll((request, count) => (count === 1 ? threePages(request) : stuck(count)))
    expect(failures).toEqual(Array(3).fill('ListObjectsV2: the listing does not advance'))
  })

  test('a token that S3 no longer takes is replaced by the last key', async () => {
    const { keys, failures } = await listAll((request) => {
      if (request.query.has('continuation-token')) return s3Error(400, 'InvalidArgument')
      if (request.query.get('start-after') === '1.jpg') return page(['2.jpg', '3.jpg'], { truncated: false })
      return threePages(request)
    })
    expect({ keys, failures }).toEqual({ keys: all, failures: [] })
  })

  test('keys are decoded', async () => {
    const { keys } = await listAll(() => page(['a+b%2Bc%0A%C3%A9.jpg'], { truncated: false }))
    expect(keys).toEqual(['a b+c\né.jpg'])
  })
})

describe('the bucket', () => {
  const region = { 'x-amz-bucket-region': 'eu-west-1', 'x-amz-request-id': 'R1' }

  test.each<[string, Answer, string | undefined]>([
    ['200', { headers: region }, 'eu-west-1'],
    ['200 without a region', { headers: ids }, undefined],
    ['403 with a region', { status: 403, headers: region }, 'eu-west-1'],
    ['403 without one', { status: 403, headers: ids }, undefined],
    ['400 without one, as expired credentials have it', { status: 400, headers: ids }, undefined],
  ])('%s', async (_name, answer, expected) => {
    await using fake = await FakeService.start(() => answer)
    expect(await new S3Images(fake.clients.s3, noShutdown).bucketRegion(bucket)).toBe(expected)
  })

  test.each<[string, Answer, string]>([
    ['a confirmed 404', { status: 404, headers: ids }, 'missing'],
    ['a 404 of something else', html(404), 'transient'],
    ['a 403 of something else', html(403), 'transient'],
  ])('%s is a failure', async (_name, answer, kind) => {
    await using fake = await FakeService.start(() => answer)
    const found = new S3Images(fake.clients.s3, noShutdown).bucketRegion(bucket)
    await expect(found).rejects.toMatchObject({ kind })
  })

  const signedFor = ({ headers }: FakeRequest) => /\/([\w-]+)\/s3\//.exec(headers.authorization ?? '')?.[1]
  const inIreland = (wrong: (request: FakeRequest) => Answer) => (request: FakeRequest) => {
    if (signedFor(request) !== 'eu-west-1') return wrong(request)
    if (request.method === 'HEAD') return { headers: region }
    return page(['1.jpg'], { truncated: false })
  }

  test('in another region is asked there, after the first time', async () => {
    const redirect = s3Error(301, 'PermanentRedirect', '', region)
    await using fake = await FakeService.start(inIreland(() => redirect))
    const images = new S3Images(fake.clients.s3, noShutdown)
    expect(await images.bucketRegion(bucket)).toBe('eu-west-1')
    await images.listPage({ bucket, prefix: '', after: '' })
    await images.listPage({ bucket, prefix: '', after: '' })
    expect(fake.requests.map(signedFor)).toEqual(['us-east-1', 'eu-west-1', 'eu-west-1', 'eu-west-1'])
  })

  test('is found by the listing when HEAD says nothing', async () => {
    const malformed = s3Error(400, 'AuthorizationHeaderMalformed', '<Region>eu-west-1</Region>')
    const wrong = ({ method }: FakeRequest) => (method === 'HEAD' ? { status: 403, headers: ids } : malformed)
    await using fake = await FakeService.start(inIreland(wrong))
    const images = new S3Images(fake.clients.s3, noShutdown)
    expect(await images.bucketRegion(bucket)).toBeUndefined()
    expect((await images.listPage({ bucket, prefix: '', after: '' })).objects).toHaveLength(1)
    await images.listPage({ bucket, prefix: '', after: '' })
    expect(fake.requests.map(signedFor).slice(1)).toEqual(['us-east-1', 'eu-west-1', 'eu-west-1'])
  })
})

describe('HEAD of an object', () => {
  const headers = { ...fromS3, 'content-length': '7' }
  test.each<[Record<string, string>, boolean]>([
    [{}, false],
    [{ 'x-amz-storage-class': 'STANDARD_IA' }, false],
    [{ 'x-amz-storage-class': 'GLACIER' }, true],
    [{ 'x-amz-storage-class': 'DEEP_ARCHIVE', 'x-amz-restore': 'ongoing-request="true"' }, true],
    [
      { 'x-amz-storage-class': 'GLACIER', 'x-amz-restore': 'ongoing-request="false", expiry-date="x"' },
      false,
    ],
    [{ 'x-amz-storage-class': 'GLACIER_IR' }, false],
    [{ 'x-amz-storage-class': 'INTELLIGENT_TIERING', 'x-amz-archive-status': 'ARCHIVE_ACCESS' }, true],
  ])('%j: archived %s', async (more, isArchived) => {
    await using fake = await FakeService.start(() => ({ headers: { ...headers, ...more } }))
    const head = await new S3Images(fake.clients.s3, noShutdown).head(bucket, 'k')
    expect(head).toMatchObject({ size: 7, etag, isArchived })
  })

  test.each<[number, Answer, string]>([
    [403, s3Error(403, 'AccessDenied'), 'GetObject: access denied (403 AccessDenied: said so)'],
    [404, s3Error(404, 'NoSuchBucket'), 'GetObject: the bucket does not exist (404 NoSuchBucket: said so)'],
    [
      400,
      s3Error(400, 'ExpiredToken'),
      'GetObject: the credentials have expired (400 ExpiredToken: said so)',
    ],
    [403, { headers: fromS3, body: 'x' }, 'HeadObject: access denied (403, no error code)'],
  ])('a refusal with %d is explained by GET', async (status, get, message) => {
    const answer = ({ method }: FakeRequest): Answer =>
      method === 'HEAD' ? { status, headers: { 'x-amz-request-id': 'R1' } } : get
    await using fake = await FakeService.start(answer)
    const head = new S3Images(fake.clients.s3, noShutdown).head(bucket, 'k')
    await expect(head).rejects.toMatchObject({ message })
  })

  test.each<[string, Answer, number]>([
    ['a range', { status: 206, headers: { ...fromS3, 'content-range': 'bytes 0-0/7' }, body: 'x' }, 7],
    ['an empty object', s3Error(416, 'InvalidRange'), 0],
  ])('a size that a proxy has left out is that of %s', async (_, get, size) => {
    const chunked = { ...fromS3, 'transfer-encoding': 'chunked' }
    await using fake = await FakeService.start(({ method }) =>
      method === 'HEAD' ? (response) => response.writeHead(200, chunked).end() : get,
    )
    const head = await new S3Images(fake.clients.s3, noShutdown).head(bucket, 'k')
    expect(head).toMatchObject({ size, etag })
  })

  test('an answer without an ETag is not from S3', async () => {
    await using fake = await FakeService.start(() => ({ headers: { ...ids, 'content-length': '7' } }))
    const head = new S3Images(fake.clients.s3, noShutdown).head(bucket, 'k')
    await expect(head).rejects.toMatchObject({ kind: 'transient' })
  })
})

describe('download', () => {
  const bytes = 'image'
  const chunked = { ...fromS3, 'transfer-encoding': 'chunked' }
  const get = (answer: Answer, expected: { size: number; etag?: string }, options = {}) =>
    downloadFrom(answer, expected, options)

  test.each<[string, Answer]>([
    ['with Content-Length', { headers: fromS3, body: bytes }],
    ['without it', (response) => response.writeHead(200, chunked).end(bytes)],
    ['with a checksum', { headers: { ...fromS3, 'x-amz-checksum-crc32': 'AAAAAA==' }, body: bytes }],
  ])('%s', async (_name, answer) => {
    const result = await get(answer, { size: 5, etag })
    expect(Buffer.from(result.bytes).toString()).toBe(bytes)
    expect(result.etag).toBe(etag)
  })

  test('an ETag that a proxy has weakened is that of the object', async () => {
    const weak = { ...fromS3, etag: `W/${etag}`, 'content-length': '7' }
    await using fake = await FakeService.start(({ method }) => ({
      headers: weak,
      body: method === 'HEAD' ? '' : 'content',
    }))
    const images = new S3Images(fake.clients.s3, noShutdown)
    expect(await images.download(bucket, 'k', { size: 7, etag })).toMatchObject({ etag })
    expect(await images.head(bucket, 'k')).toMatchObject({ etag })
  })

  test('an answer without ETag and length, stripped by a proxy, is the object if it has its size', async () => {
    const stripped = (body: string): Answer => {
      return (response) => response.writeHead(200, { 'transfer-encoding': 'chunked' }).end(body)
    }
    const result = await get(stripped(bytes), { size: 5, etag })
    expect(Buffer.from(result.bytes).toString()).toBe(bytes)
    expect(result.etag).toBe(etag)
    await expect(get(stripped(''), { size: 5, etag })).rejects.toMatchObject({ kind: 'transient' })
  })

  test.each<[string, Answer, { size: number; etag?: string }, string, string]>([
    [
      'another ETag',
      { headers: { ...fromS3, etag: '"e2"' }, body: 'other' },
      { size: 5, etag },
      'subject',
      'was replaced',
    ],
    ['no ETag', { headers: ids, body: bytes }, { size: 5 }, 'transient', 'no ETag'],
    ['HTML', html(200), { size: 5 }, 'transient', 'not from AWS'],
    ['nothing', {}, { size: 5 }, 'transient', '0 of 5 bytes'],
    [
      'a shorter body',
      { headers: fromS3, body: 'im' },
      { size: 5, etag },
      'transient',
      '2 of 5 bytes are announced',
    ],
    [
      'a longer one',
      { headers: fromS3, body: 'images' },
      { size: 5 },
      'transient',
      '6 of 5 bytes are announced',
    ],
    [
      'an endless one',
      (response) => response.writeHead(200, chunked).write('x'.repeat(99)),
      { size: 5 },
      'transient',
      'more than 5 bytes came',
    ],
    [
      'a body that is cut',
      (response) => breakAfter(response, 'im', { ...fromS3, 'content-length': '5' }),
      { size: 5 },
      'transient',
      'reset',
    ],
    ['a denial', s3Error(403, 'AccessDenied'), { size: 5 }, 'denied', 'access denied'],
  ])('%s is a failure', async (_name, answer, expected, kind, words) => {
    await expect(get(answer, expected)).rejects.toMatchObject({
      kind,
      operation: 'GetObject',
      message: expect.stringContaining(words),
    })
  })

  test.each<[string, Record<string, string>]>([
    ['a stalled body', {}],
    ['a stalled body with a checksum', { 'x-amz-checksum-crc32': 'AAAAAA==' }],
  ])('%s ends by the limit of silence', async (_name, headers) => {
    const stalled: Answer = (response) => {
      response.writeHead(200, { ...fromS3, 'content-length': '5', ...headers })
      response.write('im')
    }
    const download = get(stalled, { size: 5 }, { silenceMs: { s3: 300 } })
    await expect(download).rejects.toMatchObject({
      kind: 'timeout',
      message: 'GetObject: no answer within 0.3 s',
    })
  })

  test('a slow body with progress does not', async () => {
    const slow: Answer = (response) => {
      response.writeHead(200, { ...fromS3, 'content-length': '10' })
      let sent = 0
      const timer = setInterval(() => {
        response.write('x')
        if (++sent < 10) return
        clearInterval(timer)
        response.end()
      }, 200)
    }
    const { bytes } = await get(slow, { size: 10 }, { silenceMs: { s3: 1000 } })
    expect(bytes).toHaveLength(10)
  })

  test('a forced shutdown in the middle of a body is a shutdown', async () => {
    const forced = new AbortController()
    const stalled: Answer = (response) => {
      response.writeHead(200, { ...fromS3, 'content-length': '5' })
      response.write('im', () => forced.abort(new ShutdownError()))
    }
    await using fake = await FakeService.start(() => stalled)
    const images = new S3Images(fake.clients.s3, { forced: forced.signal })
    await expect(images.download(bucket, 'k', { size: 5 })).rejects.toThrow(ShutdownError)
  })
})

describe('probe', () => {
  test.each<[string, Answer]>([
    ['206', { status: 206, headers: { ...fromS3, 'content-range': 'bytes 0-0/5' }, body: 'i' }],
    ['200 of the whole object', { headers: fromS3, body: 'x'.repeat(100_000) }],
    ['an empty object', s3Error(416, 'InvalidRange')],
  ])('%s shows that reading works', async (_name, answer) => {
    await using fake = await FakeService.start(() => answer)
    await new S3Images(fake.clients.s3, noShutdown).probe(bucket, 'k')
    expect(fake.requests[0]?.headers.range).toBe('bytes=0-0')
  })

  test.each<[string, Answer, string]>([
    ['a denial', s3Error(403, 'AccessDenied'), 'denied'],
    ['HTML', html(200), 'transient'],
    ['416 of something else', html(416), 'transient'],
  ])('%s shows nothing', async (_name, answer, kind) => {
    await using fake = await FakeService.start(() => answer)
    const probe = new S3Images(fake.clients.s3, noShutdown).probe(bucket, 'k')
    await expect(probe).rejects.toMatchObject({ kind })
  })
})

describe('a page with status 200, as proxies and captive portals have it, is no answer of S3', () => {
  const body = `<ListBucketResult><Name>${bucket}</Name><IsTruncated>false</IsTruncated></ListBucketResult>`
  const headers = {
    etag,
    'content-type': 'text/html; charset=utf-8',
    'x-amz-bucket-region': 'eu-west-1',
    'content-length': String(body.length),
  }
  const operations: [string, (images: S3Images) => Promise<unknown>][] = [
    ['HeadBucket', (images) => images.bucketRegion(bucket)],
    ['ListObjectsV2', (images) => images.listPage({ bucket, prefix: '', after: '' })],
    ['HeadObject', (images) => images.head(bucket, 'k')],
    ['GetObject', (images) => images.download(bucket, 'k', { size: body.length, etag })],
    ['GetObject', (images) => images.probe(bucket, 'k')],
  ]
  test.each(operations)('to %s', async (operation, send) => {
    await using fake = await FakeService.start(() => ({ headers, body }))
    await expect(send(new S3Images(fake.clients.s3, noShutdown))).rejects.toMatchObject({
      kind: 'transient',
      message: `${operation}: the answer is not from AWS (200, text/html; charset=utf-8, no request ID)`,
    })
  })
})

test('requests in flight are known, until the end of a body', async () => {
  const body = Promise.withResolvers<ServerResponse>()
  await using fake = await FakeService.start(() => (response) => {
    response.writeHead(200, { ...fromS3, 'content-length': '5' })
    response.write('im', () => body.resolve(response))
  })
  const { calls, s3 } = fake.clients
  const download = new S3Images(s3, noShutdown).download(bucket, 'k', { size: 5 })
  const response = await body.promise
  await vi.waitFor(() => expect(calls.activity).toBe(1))
  expect(calls.oldestPending(0)?.operation).toBe('GetObject')
  response.end('age')
  await download
  expect(calls.oldestPending(0)).toBeUndefined()
  expect(calls.counts).toEqual({ GetObject: 1 })
  expect(calls.activity).toBe(1)
})

async function downloadFrom(answer: Answer, expected: { size: number; etag?: string }, options: object) {
  await using fake = await FakeService.start(() => answer, options)
  return await new S3Images(fake.clients.s3, noShutdown).download(bucket, 'k', expected)
}

function breakAfter(response: ServerResponse, text: string, headers = {}): void {
  response.writeHead(200, headers)
  response.write(text, () => response.socket?.destroy())
}
