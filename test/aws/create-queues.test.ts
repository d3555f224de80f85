import { type FauxqsServer, startFauxqs } from 'fauxqs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clients, createClients } from '../../src/aws/clients.ts'
import { createQueues } from '../../src/aws/create-queues.ts'
import {
  deadLetterQueueName,
  defaultReceiveCount,
  formatRetention,
  queueName,
  receiveCountOf,
} from '../../src/aws/queue-attributes.ts'
import { credentials, FakeService, html, jsonError } from './fake-service.ts'

describe('createQueues', () => {
  let server: FauxqsServer
  let clients: Clients
  const create = async (queue: string, options: { repair?: boolean } = {}) => {
    const lines: string[] = []
    await createQueues(clients.sqs, { queue, maxAttempts: 5 }, (line) => lines.push(line), options)
    return lines
  }

  beforeAll(async () => {
    server = await startFauxqs({ port: 0, logger: false })
    const endpoint = `http://127.0.0.1:${server.port}`
    clients = createClients({ region: 'us-east-1' }, { endpoint, credentials, environment: {} })
  })
  afterAll(async () => {
    clients.close()
    await server.stop()
  })

  test.each([
    ['imgpipe', 'imgpipe-dlq'],
    ['imgpipe.fifo', 'imgpipe-dlq.fifo'],
  ])('%s and %s, once', async (queue, deadLetters) => {
    expect(await create(queue)).toEqual([
      `queue ${deadLetters}: created, retains messages for 14 days`,
      `queue ${queue}: created, retains messages for 14 days; unprocessable messages move to ${deadLetters} after 100 receives`,
    ])
    expect(await create(queue)).toEqual([`queue ${queue}: already exists, unchanged`])
  })

  test('an existing queue stays as it is, and its differences are reported', async () => {
    server.createQueue('own', { attributes: { MessageRetentionPeriod: '345600' } })
    expect(await create('own')).toEqual([
      'queue own-dlq: created, retains messages for 14 days',
      'queue own: already exists, unchanged',
      'queue own: retains messages for 4 days; imgpipe recommends 14 days',
      'queue own: has no dead-letter queue; imgpipe recommends one',
      'queue own: "imgpipe setup --repair" corrects this',
    ])
  })

  test('a repair raises what is too low, once', async () => {
    server.createQueue('low', { attributes: { MessageRetentionPeriod: '345600', VisibilityTimeout: '2' } })
    expect(await create('low', { repair: true })).toEqual([
      'queue low-dlq: created, retains messages for 14 days',
      'queue low: repaired, unprocessable messages move to low-dlq after 100 receives',
      'queue low: repaired, retains messages for 14 days',
      'queue low: repaired, its visibility timeout is 30 s',
    ])
    expect(await create('low', { repair: true })).toEqual(['queue low: already exists, unchanged'])
  })
})

test.each([
  [
    'a denial',
    jsonError(403, 'AccessDeniedException', 'User: a is not'),
    'permission',
    /^Cannot look up the queue "q": GetQueueUrl: access denied \(403 AccessDeniedException: User: a is not\); grant .* sqs:GetQueueUrl and sqs:GetQueueAttributes\.$/,
  ],
  [
    'an outage',
    html(502),
    'unavailable',
    /^Cannot look up the queue "q": GetQueueUrl: the answer is not from AWS \(502, text\/html\); check the network/,
  ],
  [
    'expired credentials',
    jsonError(403, 'ExpiredTokenException'),
    'permission',
    /the credentials have expired .*; replace them/,
  ],
  ['a wrong clock', jsonError(403, 'RequestExpired'), 'settings', /clock is wrong .*timedatectl/],
] as const)('%s is explained', async (_name, answer, reason, message) => {
  await using fake = await FakeService.start(() => answer)
  const created = createQueues(fake.clients.sqs, { queue: 'q', maxAttempts: 5 }, () => undefined)
  await expect(created).rejects.toMatchObject({ reason, message: expect.stringMatching(message) })
})

test('names and numbers', () => {
  expect(queueName('https://sqs.us-east-1.amazonaws.com/1/cars.fifo')).toBe('cars.fifo')
  expect(deadLetterQueueName('cars')).toBe('cars-dlq')
  expect([1, 5, 10, 1000].map(defaultReceiveCount)).toEqual([100, 100, 200, 1000])
  expect([60, 90 * 60, 86_400, 345_600].map(formatRetention)).toEqual([
    '1 minute',
    '90 minutes',
    '1 day',
    '4 days',
  ])
  expect(receiveCountOf('{"maxReceiveCount":"7"}')).toBe(7)
  expect(receiveCountOf(undefined)).toBeUndefined()
})
