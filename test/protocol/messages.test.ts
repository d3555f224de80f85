import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import { describe, expect, test } from 'vitest'
import { endMessage, indexMessage, type OutgoingMessage, parseMessage } from '../../src/protocol/messages.ts'

const run = '20261122T174500Z-3f9a'
const car = {
  run,
  n: 3,
  key: '2.jpg',
  bucket: 'b',
  etag: '"e"',
  confidence: 98.5,
  boxes: [[0.1, 0.2, 0.3, 0.4]],
} as const

function received({ body, attributes }: OutgoingMessage): Message {
  return { Body: body, MessageAttributes: attributes }
}

function attributes(values: Record<string, string | number>): Record<string, MessageAttributeValue> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      { DataType: typeof value === 'number' ? 'Number' : 'String', StringValue: String(value) },
    ]),
  )
}

test('an index message is the key itself, and comes back as it was', () => {
  expect(indexMessage(car).body).toBe('2.jpg')
  expect(parseMessage(received(indexMessage(car)))).toEqual({ kind: 'index', ...car })
})

test('the end message is "-1" with the count', () => {
  const end = { run, count: 5, images: 10, failed: 1, abandoned: false }
  expect(endMessage(end).body).toBe('-1')
  expect(parseMessage(received(endMessage(end)))).toEqual({ kind: 'end', ...end })
  expect(parseMessage(received(endMessage({ ...end, abandoned: true })))).toMatchObject({ abandoned: true })
})

test.each([
  'a b.jpg',
  ' .jpg',
  'a\nb.jpg',
  'ü/日本.png',
  '%41.jpg',
  '-1.jpg',
  '\x07.jpg',
  '\uFFFF.jpg',
  '🚗.jpg',
  '"{}".jpg',
])('the key %j survives the queue', (key) => {
  const message = indexMessage({ ...car, key })
  expect(message.body).toMatch(/^[\t\n\r\x20-\uFFFD]*$/)
  expect(parseMessage(received(message))).toMatchObject({ kind: 'index', key })
})

test('an attribute that would be empty is not sent: SQS refuses it', () => {
  const { attributes: sent } = indexMessage({ ...car, etag: '', boxes: [] })
  expect(Object.keys(sent).sort()).toEqual(['bucket', 'confidence', 'n', 'run'])
})

test('at most fifty boxes travel', () => {
  const boxes = Array.from({ length: 80 }, () => [0, 0, 1, 1] as const)
  expect(parseMessage(received(indexMessage({ ...car, boxes })))).toMatchObject({ boxes: boxes.slice(0, 50) })
})

describe('messages of other implementations carry no run', () => {
  const index = (key: string) => ({ kind: 'index', run: undefined, n: undefined, key })
  const end = { kind: 'end', run: undefined, count: undefined, abandoned: false }
  test.each([
    ['2.jpg', index('2.jpg')],
    [' 2.jpg\n', index('2.jpg')],
    ['folder/7.PNG', index('folder/7.PNG')],
    ['{"imageKey":"2.jpg","confidence":99}', index('2.jpg')],
    ['{"key":"2.jpeg"}', index('2.jpeg')],
    ['"2.jpg"', index('2.jpg')],
    ['-1', end],
    ['{"key":"-1"}', end],
    ['{"imageKey":-1}', end],
  ])('%j', (Body, expected) => expect(parseMessage({ Body })).toMatchObject(expected))
})

describe('what is none of ours is unreadable, with the reason', () => {
  const ours = { run, n: 1 }
  test.each<[string, Message]>([
    ['no body at all', {}],
    ['an empty body', { Body: '' }],
    ['blanks', { Body: ' \n\t' }],
    ['a text that is no key', { Body: 'hello' }],
    ['broken JSON', { Body: '{"key":' }],
    ['JSON without a key', { Body: '{"Records":[]}' }],
    ['a megabyte', { Body: `${'x'.repeat(1024 * 1024 - 4)}.jpg` }],
    ['a key beyond 1024 bytes', { Body: `${'ü'.repeat(600)}.jpg`, MessageAttributes: attributes(ours) }],
    ['a run that is a path', { Body: '2.jpg', MessageAttributes: attributes({ run: '../../etc', n: 1 }) }],
    ['a run that is a number', { Body: '2.jpg', MessageAttributes: attributes({ run: 5, n: 1 }) }],
    [
      'a foreign run of our own naming',
      { Body: '2.jpg', MessageAttributes: attributes({ run: `foreign-${run}`, n: 1 }) },
    ],
    ['no n', { Body: '2.jpg', MessageAttributes: attributes({ run }) }],
    ['n as a text', { Body: '2.jpg', MessageAttributes: attributes({ run, n: '1' }) }],
    ['n = 0', { Body: '2.jpg', MessageAttributes: attributes({ run, n: 0 }) }],
    ['n negative', { Body: '2.jpg', MessageAttributes: attributes({ run, n: -4 }) }],
    ['n broken', { Body: '2.jpg', MessageAttributes: attributes({ run, n: 1.5 }) }],
    ['n beyond what is exact', { Body: '2.jpg', MessageAttributes: attributes({ run, n: 2 ** 60 }) }],
    ['an end without a count', { Body: '-1', MessageAttributes: attributes({ run }) }],
    ['an end with a negative count', { Body: '-1', MessageAttributes: attributes({ run, count: -1 }) }],
    [
      'broken percent encoding',
      { Body: '%E0%A4%A', MessageAttributes: attributes({ ...ours, encoding: 'uri' }) },
    ],
    [
      'a binary run',
      { Body: '2.jpg', MessageAttributes: { run: { DataType: 'Binary', BinaryValue: new Uint8Array([1]) } } },
    ],
  ])('%s', (_, message) => {
    expect(parseMessage(message)).toMatchObject({ kind: 'unreadable', reason: expect.stringMatching(/\w/) })
  })

  test('boxes that are none only leave the boxes out', () => {
    const message = {
      Body: '2.jpg',
      MessageAttributes: attributes({ ...ours, boxes: '[[1,2],"x",[0,0,1,1]]' }),
    }
    expect(parseMessage(message)).toMatchObject({ kind: 'index', boxes: [[0, 0, 1, 1]] })
  })
})
