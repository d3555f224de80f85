import type { Message, MessageAttributeValue } from '@aws-sdk/client-sqs'
import { describe, expect, it, test } from 'vitest'
import { endMessage, imageMessage, type OutgoingMessage } from '../../src/protocol/messages.ts'
import { parseMessage } from '../../src/protocol/parse-message.ts'

const run = '20261122T174500Z-3f9a'
const image = {
  run,
  n: 3,
  key: '2.jpg',
  bucket: 'b',
  etag: '"e"',
  sizeBytes: 123_456,
  confidence: 98.5,
  boxes: [[0.1, 0.2, 0.3, 0.4]],
  fresh: false,
} as const
const end = { run, count: 5, images: 10, failed: 1, failures: [], abandoned: false }

/** SQS takes ten attributes a message, none of them empty, and only these characters (SendMessage, API reference). */
function received({ body, attributes }: OutgoingMessage): Message {
  const characters = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}]+$/u
  expect(body).toMatch(characters)
  expect(Object.keys(attributes).length).toBeLessThanOrEqual(10)
  for (const { StringValue } of Object.values(attributes)) expect(StringValue).toMatch(characters)
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

describe('an image message', () => {
  it('is the key itself, and comes back as it was', () => {
    const message = imageMessage(image)
    expect(message).toMatchObject({ body: '2.jpg', run, name: '3' })
    expect(parseMessage(received(message))).toEqual({ kind: 'image', ...image })
  })

  it('says that earlier answers are not to be used', () => {
    expect(parseMessage(received(imageMessage({ ...image, fresh: true })))).toMatchObject({ fresh: true })
  })

  it('has ten attributes at most, whatever it says', () => {
    received(imageMessage({ ...image, key: '\x07.jpg', fresh: true }))
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
    '🚗%F0.jpg',
    '"{}".jpg',
    '{"key":"x.jpg"}.jpg',
    `${'🚗'.repeat(255)}.jpg`,
  ])('with the key %j survives the queue', (key) => {
    expect(parseMessage(received(imageMessage({ ...image, key })))).toMatchObject({ kind: 'image', key })
  })

  it('leaves out attributes that would be empty: SQS refuses them', () => {
    const { attributes: sent } = imageMessage({ ...image, etag: '', sizeBytes: undefined, boxes: [] })
    expect(Object.keys(sent).sort()).toEqual(['bucket', 'confidence', 'n', 'run'])
    const { etag, sizeBytes, boxes } = { etag: undefined, sizeBytes: undefined, boxes: [] }
    const parsed = parseMessage({ Body: '2.jpg', MessageAttributes: sent })
    expect(parsed).toEqual({ kind: 'image', ...image, etag, sizeBytes, boxes })
  })

  it('keeps 0, which is not empty', () => {
    expect(parseMessage(received(imageMessage({ ...image, sizeBytes: 0, confidence: 0 })))).toMatchObject({
      sizeBytes: 0,
      confidence: 0,
    })
  })

  it('carries fifty boxes at most', () => {
    const boxes = Array.from({ length: 80 }, () => [0, 0, 1, 1] as const)
    const message = received(imageMessage({ ...image, boxes }))
    expect(JSON.parse(message.MessageAttributes?.boxes?.StringValue ?? '')).toHaveLength(50)
    expect(parseMessage(message)).toMatchObject({ boxes: boxes.slice(0, 50) })
  })
})

describe('the end message', () => {
  it('is "-1" with the count, and comes back as it was', () => {
    const message = endMessage(end)
    expect(message).toMatchObject({ body: '-1', run, name: 'end' })
    expect(parseMessage(received(message))).toEqual({ kind: 'end', ...end })
  })

  it('may count nothing, and may abandon the run', () => {
    const none = { ...end, count: 0, images: 0, failed: 0, abandoned: true }
    expect(parseMessage(received(endMessage(none)))).toEqual({ kind: 'end', ...none })
  })

  it('says what was looked for, unless SQS refuses that', () => {
    const given = { ...end, bucket: 'images', label: 'Voiture à été' }
    expect(parseMessage(received(endMessage(given)))).toEqual({ kind: 'end', ...given })
    const { attributes } = endMessage({ ...given, label: 'Car 🚗' })
    expect(attributes).not.toHaveProperty('label')
  })

  it('names failed images, whatever their keys and reasons are', () => {
    const failures = [
      { key: 'a.jpg', reason: 'the object is empty' },
      { key: '\x07\uFFFF🚗\u2028.jpg', reason: 'ü "quoted" \\ and\nbroken' },
    ]
    expect(parseMessage(received(endMessage({ ...end, failures })))).toEqual({
      kind: 'end',
      ...end,
      failures,
    })
  })

  it('names as many of them as fit', () => {
    let asked = 0
    const failures = function* () {
      for (; ; asked++) yield { key: `${asked}🚗.jpg`, reason: 'x'.repeat(80) }
    }
    const message = endMessage({ ...end, failures: failures() })
    const bytes = Buffer.byteLength(message.attributes.failures?.StringValue ?? '')
    expect(bytes).toBeGreaterThan(99_000)
    expect(bytes).toBeLessThanOrEqual(100_000)
    const parsed = parseMessage(received(message))
    expect(parsed).toMatchObject({ kind: 'end', failures: { length: asked } })
  })
})

describe('messages of other implementations carry no run', () => {
  const foreign = (key: string) => ({
    kind: 'image',
    run: undefined,
    n: undefined,
    key,
    bucket: undefined,
    etag: undefined,
    sizeBytes: undefined,
    confidence: undefined,
    boxes: [],
    fresh: false,
  })
  const foreignEnd = {
    kind: 'end',
    run: undefined,
    count: undefined,
    images: undefined,
    failed: undefined,
    failures: [],
    abandoned: false,
  }
  test.each([
    ['2.jpg', foreign('2.jpg')],
    [' 2.jpg\n', foreign('2.jpg')],
    ['a directory/7.PNG', foreign('a directory/7.PNG')],
    ['{"imageKey":"2.jpg","confidence":99}', foreign('2.jpg')],
    ['{"key":"2.jpeg"}', foreign('2.jpeg')],
    ['"2.jpg"', foreign('2.jpg')],
    ['-1', foreignEnd],
    [' -1\n', foreignEnd],
    ['"-1"', foreignEnd],
    ['{"key":"-1"}', foreignEnd],
    ['{"imageKey":-1}', foreignEnd],
  ])('%j', (Body, expected) => expect(parseMessage({ Body })).toEqual(expected))

  it('also when it carries attributes of its own', () => {
    const MessageAttributes = attributes({ n: 7, bucket: 'other', etag: 'e' })
    expect(parseMessage({ Body: '2.jpg', MessageAttributes })).toEqual(foreign('2.jpg'))
  })
})

describe('what is no message of the protocol is unreadable, with the reason', () => {
  const ours = { run, n: 1 }
  const body = (Body: string, values?: Record<string, string | number>): Message =>
    values ? { Body, MessageAttributes: attributes(values) } : { Body }
  test.each<[string, Message]>([
    ['no body at all', {}],
    ['an empty body', body('')],
    ['blanks', body(' \n\t')],
    ['a text that is no key', body('hello')],
    ['broken JSON', body('{"key":')],
    ['JSON without a key', body('{"Records":[]}')],
    ['JSON with something else as the key', body('{"key":["2.jpg"]}')],
    ['JSON null', body('{"key":null}')],
    ['a list', body('["2.jpg"]')],
    ['a megabyte', body(`${'x'.repeat(1024 * 1024 - 4)}.jpg`)],
    ['no key in a message of a run', body('', ours)],
    ['a key beyond 1024 bytes', body(`${'ü'.repeat(600)}.jpg`, ours)],
    ['a key with NUL', body('%00.jpg', { ...ours, encoding: 'uri' })],
    ['a run that is a path', body('2.jpg', { run: '../../etc', n: 1 })],
    ['a run that is a number', body('2.jpg', { run: 5, n: 1 })],
    ['an empty run', body('2.jpg', { run: '', n: 1 })],
    ['a run with a name as the reader gives them', body('2.jpg', { run: `foreign-${run}`, n: 1 })],
    ['no n', body('2.jpg', { run })],
    ['n as a text', body('2.jpg', { run, n: '1' })],
    ['n = 0', body('2.jpg', { run, n: 0 })],
    ['n negative', body('2.jpg', { run, n: -4 })],
    ['n broken', body('2.jpg', { run, n: 1.5 })],
    ['n beyond what is exact', body('2.jpg', { run, n: 2 ** 60 })],
    ['an end without a count', body('-1', { run })],
    ['an end with a negative count', body('-1', { run, count: -1 })],
    ['an end whose count is a text', body('-1', { run, count: '5' })],
    ['broken percent encoding', body('%E0%A4%A', { ...ours, encoding: 'uri' })],
    [
      'a binary run',
      { Body: '2.jpg', MessageAttributes: { run: { DataType: 'Binary', BinaryValue: new Uint8Array([1]) } } },
    ],
    ['a run without a value', { Body: '2.jpg', MessageAttributes: { run: { DataType: 'String' } } }],
    [
      'a number that is empty',
      {
        Body: '-1',
        MessageAttributes: { ...attributes({ run }), count: { DataType: 'Number', StringValue: ' ' } },
      },
    ],
  ])('%s', (_, message) => {
    expect(parseMessage(message)).toMatchObject({ kind: 'unreadable', reason: expect.stringMatching(/\w/) })
  })

  test.each<[string, Record<string, string | number>, object]>([
    ['boxes that are none', { boxes: '[[1,2],"x",[0,0,1,1],[0,0,1,"1"]]' }, { boxes: [[0, 0, 1, 1]] }],
    ['boxes that are no JSON', { boxes: '[[' }, { boxes: [] }],
    [
      'a thousand boxes',
      { boxes: JSON.stringify(Array(1000).fill([0, 0, 1, 1])) },
      { boxes: { length: 50 } },
    ],
    ['a negative size', { size: -1 }, { sizeBytes: undefined }],
    ['a size as a text', { size: '5' }, { sizeBytes: undefined }],
    ['a confidence that is none', { confidence: 'high' }, { confidence: undefined }],
    ['an ETag as a number', { etag: 5 }, { etag: undefined }],
  ])('only the attribute is left out: %s', (_, values, expected) => {
    expect(parseMessage(body('2.jpg', { ...ours, ...values }))).toMatchObject({
      kind: 'image',
      key: '2.jpg',
      ...expected,
    })
  })

  it('only the failures are left out that are none', () => {
    const failures = '[["a.jpg","gone"],["b.jpg"],[1,2],"c",{"key":"d"},null]'
    expect(parseMessage(body('-1', { run, count: 1, failures }))).toMatchObject({
      failures: [{ key: 'a.jpg', reason: 'gone' }],
      images: undefined,
    })
    expect(parseMessage(body('-1', { run, count: 1, failures: '{"a":1}' }))).toMatchObject({ failures: [] })
  })
})
