import { type MessageAttributeValue, ReceiveMessageCommand, SendMessageCommand } from '@aws-sdk/client-sqs'
import { afterEach, expect, test } from 'vitest'
import { TestCloud } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { expectedResults, numbered, putImages } from './images.ts'

let cloud: TestCloud

afterEach(async () => {
  await killLeftWorkers()
  await cloud.stop()
})

async function send(body: string, attributes?: Record<string, MessageAttributeValue>): Promise<void> {
  const command = { QueueUrl: cloud.queueUrl, MessageBody: body, MessageAttributes: attributes }
  await cloud.sqs.send(new SendMessageCommand(command))
}

test("another implementation's detector feeds our reader: plain and JSON bodies, -1 without a count", async () => {
  const images = [
    { key: '1.jpg', car: 99, lines: ['ONE'] },
    { key: '2.jpg', car: 99, lines: ['TWO'] },
    { key: '3.jpg', car: 99 },
    { key: '10.jpg', car: 99, lines: ['TEN'] },
  ]
  cloud = await TestCloud.start()
  await putImages(cloud, images)
  // "-1" first: on a standard queue it may overtake.
  await send('-1')
  await send('10.jpg')
  await send(JSON.stringify({ imageKey: '2.jpg', confidence: 97 }))
  await send(JSON.stringify({ key: '3.jpg' }))
  await send('1.jpg')
  await send('1.jpg')
  const reader = cloud.reader({}, undefined, ['--once'])
  expect(await reader.exited).toEqual({ code: 0, signal: null })
  expect(await cloud.results()).toBe(expectedResults(images))
  expect(cloud.vision.total).toBe(4)
  await cloud.drained()
}, 120_000)

test("another implementation's reader finds plain keys and -1 in our messages", async () => {
  cloud = await TestCloud.start()
  await putImages(cloud, numbered(5))
  expect(await cloud.detector().exited).toEqual({ code: 0, signal: null })
  const bodies = new Set<string>()
  while (bodies.size < 5) {
    const command = new ReceiveMessageCommand({
      QueueUrl: cloud.queueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 1,
    })
    const { Messages = [] } = await cloud.sqs.send(command)
    for (const { Body = '' } of Messages) bodies.add(Body)
  }
  expect([...bodies].toSorted()).toEqual(['-1', '1.jpg', '2.jpg', '4.jpg', '5.jpg'])
})
