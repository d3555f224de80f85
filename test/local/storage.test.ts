import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3'
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { createLocalhostHandler } from 'fauxqs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testCloud } from './cloud.ts'

const Bucket = 'images'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/** Objects whose content is their key. */
async function put(s3: S3Client, keys: string[]): Promise<void> {
  for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.from(Key) }))
}

/** The same for very many of them, without the work that an SDK has with each. */
async function putMany(url: string, keys: string[]): Promise<void> {
  const next = keys.values()
  const uploader = async () => {
    for (const key of next) {
      const path = key.split('/').map(encodeURIComponent).join('/')
      await fetch(`${url}/${Bucket}/${path}`, { method: 'PUT', body: key })
    }
  }
  await Promise.all(Array.from({ length: 10 }, uploader))
}

interface Listed {
  keys: string[]
  prefixes: string[]
}

async function list(
  client: S3Client,
  options: { Prefix?: string; Delimiter?: string; StartAfter?: string; MaxKeys?: number } = {},
) {
  const listed: Listed = { keys: [], prefixes: [] }
  for await (const page of paginateListObjectsV2({ client }, { Bucket, ...options })) {
    listed.keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
    listed.prefixes.push(...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix))
  }
  return listed
}

function inKeyOrder(keys: string[]): string[] {
  return keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

describe('S3', () => {
  it('lists 2,500 keys of all kinds over several pages: each once, in UTF-8 byte order', async () => {
    const kinds = [
      '%.jpg',
      'a b/%+x.jpg',
      'é/100%/%.jpg',
      'Z/%.JPG',
      '🚗/%.png',
      '\uffee %.jpg',
      'a/b/%&<c>.jpg',
    ]
    const keys = Array.from(
      { length: 2500 },
      (_, n) => kinds[n % kinds.length]?.replace('%', String(n)) ?? '',
    )
    const { s3, url } = await testCloud()
    await s3.send(new CreateBucketCommand({ Bucket }))
    await putMany(url, keys)
    const sorted = inKeyOrder(keys)
    expect((await list(s3)).keys).toEqual(sorted)
    expect((await list(s3, { StartAfter: sorted[1200] ?? '', MaxKeys: 77 })).keys).toEqual(sorted.slice(1201))
    expect((await list(s3, { Prefix: 'é/' })).keys).toEqual(sorted.filter((key) => key.startsWith('é/')))
    const object = await s3.send(new GetObjectCommand({ Bucket, Key: keys[2] ?? '' }))
    expect(await object.Body?.transformToString()).toBe(keys[2])
  })

  it('with If-None-Match: * lets one of many writers of a key succeed, and rejects the others', async () => {
    const { s3 } = await testCloud()
    await s3.send(new CreateBucketCommand({ Bucket }))
    const writers = Array.from({ length: 8 }, (_, n) => `writer ${n}`)
    const write = (Body: string) =>
      s3.send(new PutObjectCommand({ Bucket, Key: 'a/é.txt', Body, IfNoneMatch: '*' })).then(
        () => Body,
        (error) => `${error.name} ${error.$metadata.httpStatusCode}`,
      )
    const answers = await Promise.all(writers.map(write))
    const first = answers.filter((answer) => answer.startsWith('writer'))
    expect(first).toHaveLength(1)
    expect(new Set(answers)).toEqual(new Set([...first, 'PreconditionFailed 412']))
    const object = await s3.send(new GetObjectCommand({ Bucket, Key: 'a/é.txt' }))
    expect(await object.Body?.transformToString()).toBe(first[0])
  })

  it('lists each common prefix once, whatever the size of the pages', async () => {
    const keys = [
      '1.jpg',
      'a/1.jpg',
      'a/2.jpg',
      'b.jpg',
      'b/1.jpg',
      'c/d/1.jpg',
      'c/d/2.jpg',
      'e.jpg',
      'f/',
      'g/h',
    ]
    const { s3 } = await testCloud()
    await s3.send(new CreateBucketCommand({ Bucket }))
    await put(s3, keys)
    for (const MaxKeys of [1, 2, 3, 4, 5, 1000]) {
      const { keys: files, prefixes } = await list(s3, { Delimiter: '/', MaxKeys })
      expect(files).toEqual(['1.jpg', 'b.jpg', 'e.jpg'])
      expect(prefixes).toEqual(['a/', 'b/', 'c/', 'f/', 'g/'])
    }
    expect(await list(s3, { Delimiter: '/', Prefix: 'c/' })).toEqual({ keys: [], prefixes: ['c/d/'] })
    expect((await list(s3, { Delimiter: '/', StartAfter: 'c/a' })).prefixes).toEqual(['c/', 'f/', 'g/'])
  })

  it.each([
    ['empty', 0],
    ['of 16 MiB at once', 16 * 1024 * 1024],
  ])('keeps an object that is %s', async (_name, bytes) => {
    const { s3 } = await testCloud()
    await s3.send(new CreateBucketCommand({ Bucket }))
    await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: new Uint8Array(bytes) }))
    const { Body, ContentLength } = await s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))
    expect([ContentLength, (await Body?.transformToByteArray())?.length]).toEqual([bytes, bytes])
  })

  it('stores an empty object without a content type', async () => {
    const { s3, url } = await testCloud()
    await s3.send(new CreateBucketCommand({ Bucket }))
    expect((await fetch(`${url}/${Bucket}/empty.jpg`, { method: 'PUT' })).status).toBe(200)
    expect((await list(s3)).keys).toEqual(['empty.jpg'])
  })

  it('accepts virtual-hosted-style requests', async () => {
    const { url, s3 } = await testCloud()
    await s3.send(new CreateBucketCommand({ Bucket }))
    const endpoint = url.replace('127.0.0.1', 'localhost')
    const virtual = new S3Client({
      endpoint,
      region: 'us-east-1',
      credentials,
      requestHandler: createLocalhostHandler(),
    })
    onTestFinished(() => virtual.destroy())
    await put(virtual, ['a b+%.jpg'])
    expect((await list(s3)).keys).toEqual(['a b+%.jpg'])
    expect((await list(virtual)).keys).toEqual(['a b+%.jpg'])
  })
})

describe('SQS', () => {
  async function roundTrip(sqs: SQSClient, QueueUrl: string | undefined): Promise<string | undefined> {
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'ä b+%.jpg' }))
    const received = await sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }))
    const [message] = received.Messages ?? []
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }))
    return message?.Body
  }

  it('returns a queue URL that a default client can use', async () => {
    const { sqs, url } = await testCloud()
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'imgpipe' }))
    expect(QueueUrl).toBe(`${url}/000000000000/imgpipe`)
    expect(await roundTrip(sqs, QueueUrl)).toBe('ä b+%.jpg')
  })

  it.each([
    ['us-east-1', undefined],
    ['eu-central-1', undefined],
    ['us-east-1', 'sqs.us-east-1.amazonaws.com'],
    ['ap-southeast-2', 'sqs.ap-southeast-2.localhost'],
  ])('serves region %s with host %s, by the endpoint alone', async (region, host) => {
    const { url } = await testCloud()
    const sqs = new SQSClient({ endpoint: url, region, credentials, useQueueUrlAsEndpoint: false })
    onTestFinished(() => sqs.destroy())
    if (host !== undefined) sendWithHost(sqs, host)
    await sqs.send(new CreateQueueCommand({ QueueName: 'imgpipe' }))
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'imgpipe' }))
    expect(await roundTrip(sqs, QueueUrl)).toBe('ä b+%.jpg')
  })

  function sendWithHost(sqs: SQSClient, host: string): void {
    sqs.middlewareStack.add(
      (next) => (args) => {
        Object(args.request).headers.host = host
        return next(args)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
  }

  it('serves clients that send to the path of the queue’s URL', async () => {
    const { sqs } = await testCloud()
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'imgpipe' }))
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' }
    const body = JSON.stringify({ QueueUrl, MessageBody: '1.jpg' })
    expect(await (await fetch(QueueUrl, { method: 'POST', headers, body })).json()).toHaveProperty(
      'MessageId',
    )
  })

  it('rejects the old query protocol with a clear error', async () => {
    const { url } = await testCloud()
    const body = new URLSearchParams({ Action: 'ListQueues', Version: '2012-11-05' })
    const response = await fetch(url, { method: 'POST', body })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('<Code>InvalidAction</Code>')
  })
})

describe('A data directory', () => {
  it('keeps objects, queues and messages across restarts', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'imgpipe-local-'))
    onTestFinished(() => rm(dataDir, { recursive: true }))
    const first = await testCloud({ dataDir })
    await first.s3.send(new CreateBucketCommand({ Bucket }))
    await put(first.s3, ['é 1.jpg'])
    const { QueueUrl } = await first.sqs.send(new CreateQueueCommand({ QueueName: 'imgpipe' }))
    await first.sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: '-1' }))
    await first.stop()

    const { s3, sqs, url } = await testCloud({ dataDir })
    expect((await list(s3)).keys).toEqual(['é 1.jpg'])
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: 'é 1.jpg' }))
    expect(await Body?.transformToString()).toBe('é 1.jpg')
    const again = await sqs.send(new GetQueueUrlCommand({ QueueName: 'imgpipe' }))
    expect(again.QueueUrl).toBe(`${url}/000000000000/imgpipe`)
    const { Messages } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: again.QueueUrl, WaitTimeSeconds: 5 }),
    )
    expect(Messages?.[0]?.Body).toBe('-1')
  })
})
