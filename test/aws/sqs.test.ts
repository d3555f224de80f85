import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { Queue } from '../../src/aws/sqs.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import type { OutgoingMessage } from '../../src/protocol/messages.ts'
import { type Answer, type FakeRequest, FakeService, html, json, jsonError } from './fake-service.ts'

const url = 'http://sqs.us-east-1.localhost/000000000000/imgpipe'
const operationOf = ({ headers }: FakeRequest) => String(headers['x-amz-target']).replace('AmazonSQS.', '')
const noRequestId = { 'content-type': 'application/x-amz-json-1.0' }
const missing = jsonError(400, 'com.amazonaws.sqs#QueueDoesNotExist', 'gone', {
  'x-amzn-query-error': 'AWS.SimpleQueueService.NonExistentQueue;Sender',
})

/** A queue whose operations answer as given; GetQueueUrl finds `name`. */
async function queueThat(answer: (request: FakeRequest) => Answer, name = 'imgpipe', options = {}) {
  const QueueUrl = url.replace('imgpipe', name)
  const fake = await FakeService.start((request) => {
    return operationOf(request) === 'GetQueueUrl' ? json(200, { QueueUrl }) : answer(request)
  }, options)
  return {
    fake,
    queue: await Queue.open(fake.clients.sqs, name),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  }
}

const message = (name: string): OutgoingMessage => ({ body: `${name}.jpg`, attributes: {}, name, run: 'r1' })

function md5(body: string): string {
  return createHash('md5').update(body).digest('hex')
}

describe('open', () => {
  const attributes = json(200, { Attributes: { QueueArn: 'arn' } })
  const invalid = jsonError(404, 'com.amazonaws.sqs#InvalidAddress', 'not valid for this endpoint')

  test.each<[string, string, Answer]>([
    ['a name', 'imgpipe', json(200, { QueueUrl: url })],
    ['a URL', url, attributes],
    ['a URL whose attributes may not be read', url, jsonError(403, 'AccessDeniedException')],
  ])('%s', async (_name, nameOrUrl, answer) => {
    await using fake = await FakeService.start(() => answer)
    expect((await Queue.open(fake.clients.sqs, nameOrUrl)).url).toBe(url)
  })

  test.each<[string, string, Answer, string]>([
    ['a missing name', 'imgpipe', missing, 'missing'],
    ['a missing URL', url, missing, 'missing'],
    ['a URL of another region', url, invalid, 'settings'],
    ['a name that may not be looked up', 'imgpipe', jsonError(403, 'AccessDeniedException'), 'denied'],
    ['an empty answer for a name', 'imgpipe', { headers: noRequestId }, 'transient'],
    ['an empty answer for a URL', url, { headers: noRequestId }, 'transient'],
  ])('%s is a failure', async (_name, nameOrUrl, answer, kind) => {
    await using fake = await FakeService.start(() => answer)
    await expect(Queue.open(fake.clients.sqs, nameOrUrl)).rejects.toMatchObject({ kind })
  })
})

describe('batches', () => {
  /** Of the n-th message, whose body the SDK compares with its checksum. */
  const done = (...ids: string[]) =>
    ids.map((Id) => ({ Id, MessageId: `m${Id}`, MD5OfMessageBody: md5(`${Number(Id) + 1}.jpg`) }))
  const failed = (Id: string, Code: string, SenderFault: boolean) => ({
    Id,
    Code,
    SenderFault,
    Message: 'said so',
  })
  const operations = {
    sendBatch: (queue: Queue) => queue.sendBatch(['1', '2', '3'].map(message)),
    deleteBatch: (queue: Queue) => queue.deleteBatch(['a', 'b', 'c']),
    changeVisibilityBatch: (queue: Queue) => queue.changeVisibilityBatch(['a', 'b', 'c'], 30),
  }
  const names = Object.keys(operations) as (keyof typeof operations)[]

  test.each(names)('%s: all done', async (name) => {
    await using open = await queueThat(() => json(200, { Successful: done('0', '1', '2'), Failed: [] }))
    expect(await operations[name](open.queue)).toEqual([])
  })

  test.each(names)('%s: entries that failed, and that are not mentioned', async (name) => {
    const answer = { Successful: done('2'), Failed: [failed('0', 'ReceiptHandleIsInvalid', true)] }
    await using open = await queueThat(() => json(200, answer))
    const rejected = await operations[name](open.queue)
    expect(rejected).toMatchObject([
      { index: 0, code: 'ReceiptHandleIsInvalid', isSenderFault: true },
      { index: 1, code: '', isSenderFault: false },
    ])
    expect(rejected[0]?.reason).toMatch(/Batch: the receipt handle is not valid any more \(Rec.*: said so\)$/)
    expect(rejected[1]?.reason).toMatch(/Batch: not mentioned in the answer$/)
  })

  test.each(names)('%s: an empty 200 has done nothing', async (name) => {
    await using open = await queueThat(() => ({ headers: noRequestId }))
    expect(await operations[name](open.queue)).toHaveLength(3)
  })

  test.each<[string, string | undefined]>([
    ['KmsAccessDenied', 'denied'],
    ['KMS.DisabledException', 'settings'],
    ['RequestThrottled', 'throttled'],
    ['InternalError', undefined],
    ['ReceiptHandleIsInvalid', undefined],
    ['AWS.SimpleQueueService.NonExistentQueue', 'missing'],
  ])('all entries with %s: %s', async (code, kind) => {
    const Failed = ['0', '1', '2'].map((id) => failed(id, code, false))
    await using open = await queueThat(() => json(200, { Failed }))
    const deleted = open.queue.deleteBatch(['a', 'b', 'c'])
    if (kind === undefined) expect(await deleted).toHaveLength(3)
    else await expect(deleted).rejects.toMatchObject({ kind, operation: 'DeleteMessageBatch' })
  })

  test.each(['InvalidParameterValue', 'ReceiptHandleIsInvalid', 'MissingParameter'])(
    'all entries with %s by their own fault, as expired receipt handles have it',
    async (code) => {
      const Failed = ['0', '1', '2'].map((id) => failed(id, code, true))
      await using open = await queueThat(() => json(200, { Failed }))
      for (const name of names)
        expect(await operations[name](open.queue)).toMatchObject(Array(3).fill({ code, isSenderFault: true }))
    },
  )

  test.each(names)('%s: HTML is a failure', async (name) => {
    await using open = await queueThat(() => html(200))
    await expect(operations[name](open.queue)).rejects.toMatchObject({ kind: 'transient' })
  })

  test('messages of a FIFO queue have a group and an ID each, of run and name', async () => {
    await using open = await queueThat(() => json(200, { Successful: done('0', '1') }), 'imgpipe.fifo')
    await open.queue.sendBatch(['1', '2'].map(message))
    expect(JSON.parse(open.fake.requests.at(-1)?.body ?? '')).toMatchObject({
      Entries: [
        { MessageBody: '1.jpg', MessageGroupId: 'r1/1', MessageDeduplicationId: 'r1/1' },
        { MessageBody: '2.jpg', MessageGroupId: 'r1/2', MessageDeduplicationId: 'r1/2' },
      ],
    })
  })
})

describe('receive', () => {
  const query = { max: 50, waitSeconds: 20, visibilitySeconds: 30 }
  const received = { MessageId: 'm', ReceiptHandle: 'h', Body: '1.jpg', MD5OfBody: md5('1.jpg') }
  const withoutId = (body: string, headers = {}): Answer => ({
    body,
    headers: { ...noRequestId, ...headers },
  })

  test.each<[string, Answer, number, boolean]>([
    ['a message', json(200, { Messages: [received] }), 1, true],
    ['no message', json(200, {}), 0, true],
    ['{} without a request ID', withoutId('{}'), 0, true],
    [
      '{} without a request ID, in chunks',
      (response) => response.writeHead(200, noRequestId).end('{}'),
      0,
      true,
    ],
    ['nothing, with a request ID', { headers: { 'x-amzn-requestid': 'R1' } }, 0, true],
    ['an empty list of messages', withoutId('{"Messages":[]}'), 0, true],
    ['JSON of something else', withoutId('{"message":"ok"}'), 0, false],
    ['nothing', withoutId(''), 0, false],
    ['nothing, in chunks', (response) => response.writeHead(200, noRequestId).end(), 0, false],
  ])('%s', async (_name, answer, count, confirmed) => {
    await using open = await queueThat(() => answer)
    const received = await open.queue.receive(query)
    expect({ count: received.messages.length, confirmed: received.confirmed }).toEqual({ count, confirmed })
  })

  test('asks for no more than SQS gives', async () => {
    await using open = await queueThat(() => json(200, {}))
    await open.queue.receive(query)
    expect(JSON.parse(open.fake.requests.at(-1)?.body ?? '')).toMatchObject({
      QueueUrl: url,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 20,
      VisibilityTimeout: 30,
    })
  })

  test('ends with a shutdown when its signal says so', async () => {
    const stop = new AbortController()
    await using open = await queueThat(() => () => stop.abort(new ShutdownError()))
    await expect(open.queue.receive({ ...query, signal: stop.signal })).rejects.toThrow(ShutdownError)
  })

  test('ends by the limit of silence', async () => {
    await using open = await queueThat(() => () => undefined, 'imgpipe', { silenceMs: { sqs: 300 } })
    const received = open.queue.receive(query)
    await expect(received).rejects.toMatchObject({
      kind: 'timeout',
      message: 'ReceiveMessage: no answer within 0.3 s',
    })
  })

  test('ends by the limit of silence in the middle of an answer', async () => {
    const stalled: Answer = (response) => response.writeHead(200, noRequestId).write('{"Mess')
    await using open = await queueThat(() => stalled, 'imgpipe', { silenceMs: { sqs: 300 } })
    await expect(open.queue.receive(query)).rejects.toMatchObject({ kind: 'timeout' })
  })

  test('is not pending before its answer is due', async () => {
    const arrived = Promise.withResolvers<void>()
    const stop = new AbortController()
    await using open = await queueThat(() => () => arrived.resolve())
    const received = open.queue.receive({ ...query, signal: stop.signal })
    await arrived.promise
    expect(open.fake.clients.calls.oldestPending(0)).toBeUndefined()
    expect(open.fake.clients.calls.oldestPending(-60_000)?.operation).toBe('ReceiveMessage')
    stop.abort(new ShutdownError())
    await expect(received).rejects.toThrow(ShutdownError)
  })
})

describe('attributes', () => {
  test('of a queue', async () => {
    const Attributes = {
      CreatedTimestamp: '1500000000',
      VisibilityTimeout: '0',
      ApproximateNumberOfMessages: '7',
    }
    await using open = await queueThat(() => json(200, { Attributes }))
    expect(await open.queue.attributes()).toEqual({
      createdAt: 1_500_000_001_000,
      visibilitySeconds: 0,
      waiting: 7,
      inFlight: undefined,
    })
  })

  test('may be denied', async () => {
    await using open = await queueThat(() => jsonError(403, 'AccessDeniedException'))
    expect((await open.queue.attributes()).createdAt).toBeUndefined()
  })
})
