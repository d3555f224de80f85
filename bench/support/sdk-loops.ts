import { DetectLabelsCommand, DetectTextCommand, RekognitionClient } from '@aws-sdk/client-rekognition'
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'

/**
 * What imgpipe is compared with, as a program: `node sdk-loops.ts WAY QUEUE-URL IN-FLIGHT [PER-SECOND]`.
 * With PER-SECOND its Rekognition calls are spaced evenly; 0 or nothing = as fast as they go.
 *
 * adaptive    DetectLabels on each image, the SDK's adaptive retries
 * one-by-one  DetectLabels on each image, one after the other, the SDK's standard retries
 * labels      the bare calls of a detector: list, DetectLabels, SendMessageBatch
 * texts       the bare calls of a reader, until the queue is empty: receive, GetObject, DetectText, delete
 */
const [way = '', queueUrl = '', inFlight = '1', perSecond = '0'] = process.argv.slice(2)
const retries = way === 'adaptive' ? { retryMode: 'adaptive', maxAttempts: 100 } : { maxAttempts: 10 }
const requestHandler = { httpAgent: { keepAlive: true, maxSockets: 1000 } }
const rekognition = new RekognitionClient({ ...retries, requestHandler })
const s3 = new S3Client({ requestHandler })
const sqs = new SQSClient({ useQueueUrlAsEndpoint: false, requestHandler })
const Bucket = 'images'
let nextTurnAt = 0

if (way === 'texts') await readTexts()
else await labelImages(way === 'labels')

async function labelImages(sends: boolean): Promise<void> {
  let cars: string[] = []
  await inParallel(keys(), async (Name) => {
    await turn()
    const { Labels = [] } = await rekognition.send(
      new DetectLabelsCommand({ Image: { S3Object: { Bucket, Name } } }),
    )
    if (!sends || Labels[0]?.Name !== 'Car') return
    cars.push(Name)
    if (cars.length < 10) return
    const batch = cars
    cars = []
    await sendKeys(batch)
  })
  if (cars.length > 0) await sendKeys(cars)
}

async function sendKeys(batch: string[]): Promise<void> {
  const Entries = batch.map((MessageBody, i) => ({ Id: String(i), MessageBody }))
  await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
}

async function readTexts(): Promise<void> {
  await Promise.all(Array.from({ length: Math.ceil(Number(inFlight) / 10) }, receiveAll))
}

async function receiveAll(): Promise<void> {
  for (;;) {
    const received = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages: 10 }),
    )
    const messages = received.Messages ?? []
    if (messages.length === 0) return
    await Promise.all(messages.map((message) => readText(message.Body ?? '')))
    const Entries = messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle }))
    await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries }))
  }
}

async function readText(Key: string): Promise<void> {
  if (Key === '-1') return
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
  const Bytes = await Body?.transformToByteArray()
  await turn()
  await rekognition.send(new DetectTextCommand({ Image: { Bytes } }))
}

async function turn(): Promise<void> {
  if (perSecond === '0') return
  const now = performance.now()
  nextTurnAt = Math.max(now, nextTurnAt + 1000 / Number(perSecond))
  if (nextTurnAt > now) await new Promise((resolve) => setTimeout(resolve, nextTurnAt - now))
}

async function* keys(): AsyncGenerator<string> {
  for (let StartAfter = '', more = true; more; ) {
    const page = await s3.send(new ListObjectsV2Command({ Bucket, StartAfter: StartAfter || undefined }))
    for (const { Key = '' } of page.Contents ?? []) {
      StartAfter = Key
      yield Key
    }
    more = page.IsTruncated === true
  }
}

async function inParallel(keys: AsyncGenerator<string>, work: (key: string) => Promise<void>): Promise<void> {
  const worker = async () => {
    for (let next = await keys.next(); !next.done; next = await keys.next()) await work(next.value)
  }
  await Promise.all(Array.from({ length: Number(inFlight) }, worker))
}
