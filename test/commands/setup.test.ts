import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  SetQueueAttributesCommand,
} from '@aws-sdk/client-sqs'
import { expect, it, onTestFinished } from 'vitest'
import { TestCloud } from '../support/test-cloud.ts'
import { imgpipe } from './imgpipe.ts'

async function testCloud() {
  const cloud = await TestCloud.start()
  onTestFinished(() => cloud.stop())
  const attributes = async (name: string) => {
    const { QueueUrl } = await cloud.sqs.send(new GetQueueUrlCommand({ QueueName: name }))
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })
    return (await cloud.sqs.send(command)).Attributes ?? {}
  }
  const setup = (more: Record<string, string> = {}) =>
    imgpipe(['setup'], { ...cloud.environment(cloud.readerState), ...more })
  return { cloud, attributes, setup }
}

it.each([
  { queue: 'fresh', deadLetters: 'fresh-dlq', maxAttempts: 5, receives: 100 },
  { queue: 'fresh.fifo', deadLetters: 'fresh-dlq.fifo', maxAttempts: 20, receives: 400 },
  { queue: 'patient', deadLetters: 'patient-dlq', maxAttempts: 200, receives: 1000 },
])('makes $queue and $deadLetters', async ({ queue, deadLetters, maxAttempts, receives }) => {
  const { attributes, setup } = await testCloud()
  const { code, lines } = await setup({ IMGPIPE_QUEUE: queue, IMGPIPE_MAX_ATTEMPTS: String(maxAttempts) })
  expect(code).toBe(0)
  expect(lines).toEqual([
    expect.stringContaining(`queue ${deadLetters}: made`),
    expect.stringContaining(`queue ${queue}: made`),
  ])
  const [made, aside] = [await attributes(queue), await attributes(deadLetters)]
  expect([made.MessageRetentionPeriod, aside.MessageRetentionPeriod]).toEqual(['1209600', '1209600'])
  const policy = JSON.parse(made.RedrivePolicy ?? '{}')
  expect(policy).toEqual({ deadLetterTargetArn: aside.QueueArn, maxReceiveCount: receives })
  expect(made.FifoQueue === 'true').toBe(queue.endsWith('.fifo'))
})

it('makes nothing the second time, and says that all is there', async () => {
  const { cloud, setup } = await testCloud()
  await setup({ IMGPIPE_QUEUE: 'fresh' })
  const { code, lines } = await setup({ IMGPIPE_QUEUE: 'fresh' })
  expect([code, lines]).toEqual([0, ['queue fresh: is there already, and stays as it is']])
  const { QueueUrls = [] } = await cloud.sqs.send(new ListQueuesCommand({ QueueNamePrefix: 'fresh' }))
  expect(QueueUrls).toHaveLength(2)
})

it('leaves the attributes of an existing queue alone, and names each difference', async () => {
  const { cloud, attributes, setup } = await testCloud()
  const before = await attributes('cars')
  const { code, lines } = await setup()
  expect(code).toBe(0)
  expect(lines).toEqual([
    expect.stringMatching(/^queue cars-dlq: made/),
    'queue cars: is there already, and stays as it is',
    'queue cars: keeps messages for 4 days, where imgpipe would have 14 days',
    'queue cars: has no dead-letter queue, where imgpipe would have one',
    'queue cars: puts nothing into cars-dlq until its redrive policy says so',
  ])
  expect(await attributes('cars')).toEqual(before)
  const { QueueArn } = await attributes('cars-dlq')
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount: 7 })
  await cloud.sqs.send(
    new SetQueueAttributesCommand({ QueueUrl: cloud.queueUrl, Attributes: { RedrivePolicy } }),
  )
  const again = await setup()
  expect(again.lines.at(-1)).toBe(
    'queue cars: puts messages aside after 7 deliveries, where imgpipe would after 100',
  )
})

it.each([
  ['GetQueueUrl', 'sqs:GetQueueUrl', 'look at the queue "fresh"'],
  ['CreateQueue', 'sqs:CreateQueue', 'make the queue "fresh-dlq"'],
])('says which right is missing when %s is denied', async (operation, right, what) => {
  const { cloud, setup } = await testCloud()
  cloud.proxy.add({ operations: [operation], share: 1, fault: { kind: 'refuse', refusal: 'denied' } })
  const { code, lines } = await setup({ IMGPIPE_QUEUE: 'fresh' })
  expect([code, lines]).toEqual([77, [expect.stringContaining(`Cannot ${what}: access is denied`)]])
  expect(lines[0]).toContain(`the right ${right}`)
})

it('says that SQS cannot be reached', async () => {
  const { setup } = await testCloud()
  const { code, lines } = await setup({ AWS_ENDPOINT_URL: 'http://127.0.0.1:9' })
  expect([code, lines]).toEqual([69, [expect.stringMatching(/ECONNREFUSED.*AWS_ENDPOINT_URL/)]])
})
