import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  SendMessageCommand,
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
  const setup = (more: Record<string, string> = {}, words: string[] = []) =>
    imgpipe(['setup', ...words], { ...cloud.environment(cloud.readerState), ...more })
  return { cloud, attributes, setup }
}

it.each([
  { queue: 'fresh', deadLetters: 'fresh-dlq', maxAttempts: 5, receives: 100 },
  { queue: 'fresh.fifo', deadLetters: 'fresh-dlq.fifo', maxAttempts: 20, receives: 400 },
  { queue: 'patient', deadLetters: 'patient-dlq', maxAttempts: 200, receives: 1000 },
])('creates $queue and $deadLetters', async ({ queue, deadLetters, maxAttempts, receives }) => {
  const { attributes, setup } = await testCloud()
  const { code, lines } = await setup({ IMGPIPE_QUEUE: queue, IMGPIPE_MAX_ATTEMPTS: String(maxAttempts) })
  expect(code).toBe(0)
  expect(lines).toEqual([
    expect.stringContaining(`queue ${deadLetters}: created`),
    expect.stringContaining(`queue ${queue}: created`),
  ])
  const [created, deadLetter] = [await attributes(queue), await attributes(deadLetters)]
  expect([created.MessageRetentionPeriod, deadLetter.MessageRetentionPeriod]).toEqual(['1209600', '1209600'])
  const policy = JSON.parse(created.RedrivePolicy ?? '{}')
  expect(policy).toEqual({ deadLetterTargetArn: deadLetter.QueueArn, maxReceiveCount: receives })
  expect(created.FifoQueue === 'true').toBe(queue.endsWith('.fifo'))
})

it('creates nothing the second time, and says that everything exists', async () => {
  const { cloud, setup } = await testCloud()
  await setup({ IMGPIPE_QUEUE: 'fresh' })
  const { code, lines } = await setup({ IMGPIPE_QUEUE: 'fresh' })
  expect([code, lines]).toEqual([0, ['queue fresh: already exists, unchanged']])
  const { QueueUrls = [] } = await cloud.sqs.send(new ListQueuesCommand({ QueueNamePrefix: 'fresh' }))
  expect(QueueUrls).toHaveLength(2)
})

it('leaves the attributes of an existing queue alone, and lists each difference', async () => {
  const { cloud, attributes, setup } = await testCloud()
  const before = await attributes('cars')
  const { code, lines } = await setup()
  expect(code).toBe(0)
  expect(lines).toEqual([
    expect.stringMatching(/^queue cars-dlq: created/),
    'queue cars: already exists, unchanged',
    'queue cars: retains messages for 4 days; imgpipe recommends 14 days',
    'queue cars: has no dead-letter queue; imgpipe recommends one',
    'queue cars: "imgpipe setup --repair" corrects this',
  ])
  expect(await attributes('cars')).toEqual(before)
  const { QueueArn } = await attributes('cars-dlq')
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount: 7 })
  await cloud.sqs.send(
    new SetQueueAttributesCommand({ QueueUrl: cloud.queueUrl, Attributes: { RedrivePolicy } }),
  )
  const again = await setup()
  expect(again.lines.at(-2)).toBe('queue cars: maxReceiveCount is 7; imgpipe recommends 100')
})

it('repairs a queue from the console: the messages in it stay, its dead-letter queue is attached', async () => {
  const { cloud, attributes, setup } = await testCloud()
  await cloud.sqs.send(new SendMessageCommand({ QueueUrl: cloud.queueUrl, MessageBody: '1.jpg' }))
  const { code, lines } = await setup({}, ['--repair'])
  expect([code, lines.slice(1)]).toEqual([
    0,
    [
      'queue cars: repaired, unprocessable messages move to cars-dlq after 100 receives',
      'queue cars: repaired, retains messages for 14 days',
      'queue cars: repaired, its visibility timeout is 30 s',
    ],
  ])
  const { QueueArn } = await attributes('cars-dlq')
  const repaired = await attributes('cars')
  const policy = { deadLetterTargetArn: QueueArn, maxReceiveCount: 100 }
  expect(JSON.parse(repaired.RedrivePolicy ?? '{}')).toEqual(policy)
  expect(await cloud.messages()).toMatchObject({ visible: 1 })
})

it('says which permission a repair needs', async () => {
  const { cloud, setup } = await testCloud()
  const refuse = { kind: 'refuse', refusal: 'denied' } as const
  cloud.proxy.add({ operations: ['SetQueueAttributes'], share: 1, fault: refuse })
  const { code, lines } = await setup({}, ['--repair'])
  expect([code, lines.at(-1)]).toEqual([77, expect.stringMatching(/Cannot repair .*sqs:SetQueueAttributes/)])
})

it.each([
  ['GetQueueUrl', 'sqs:GetQueueUrl', 'look up the queue "fresh"'],
  ['CreateQueue', 'sqs:CreateQueue', 'create the queue "fresh-dlq"'],
])('says which permission is missing when %s is denied', async (operation, permission, what) => {
  const { cloud, setup } = await testCloud()
  cloud.proxy.add({ operations: [operation], share: 1, fault: { kind: 'refuse', refusal: 'denied' } })
  const { code, lines } = await setup({ IMGPIPE_QUEUE: 'fresh' })
  expect([code, lines]).toEqual([77, [expect.stringMatching(`Cannot ${what}: .*access denied`)]])
  expect(lines[0]).toContain(`grant the credentials or the instance role ${permission}`)
})

it('says that SQS cannot be reached', async () => {
  const { setup } = await testCloud()
  const { code, lines } = await setup({ AWS_ENDPOINT_URL: 'http://127.0.0.1:9' })
  expect([code, lines]).toEqual([69, [expect.stringMatching(/ECONNREFUSED.*AWS_ENDPOINT_URL/)]])
})
