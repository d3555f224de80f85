import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { type ClientOptions, type Clients, createClients } from '../../src/aws/clients.ts'
import { detectLabels, detectText, notAnImage } from '../../src/aws/rekognition.ts'
import { ShutdownError, TimeoutError, withDeadline } from '../../src/host/shutdown.ts'
import { type Answer, credentials, FakeService, html, json, jsonError } from './fake-service.ts'

const signal = new AbortController().signal
const bytes = new Uint8Array([1, 2, 3])
const box = { Left: 0.123456, Top: 0, Width: 0.5, Height: 1 }
const labels = {
  LabelModelVersion: '3.0',
  Labels: [
    { Name: 'Car', Confidence: 99.123456, Instances: [{ BoundingBox: box, Confidence: 99 }, {}] },
    { Name: 'Road', Confidence: 60, Instances: [] },
  ],
}
const corner = { X: 0.123456, Y: 1 }
const text = {
  TextModelVersion: '3.0',
  TextDetections: [
    { Type: 'LINE', DetectedText: 'HELLO', Confidence: 12.3456789, Geometry: { Polygon: [corner] } },
    { Type: 'WORD', DetectedText: 'HELLO', Confidence: 12 },
    { Type: 'LINE', DetectedText: '   ', Confidence: 99 },
  ],
}

test('all labels come, with their boxes', async () => {
  await using fake = await FakeService.start(() => json(200, labels))
  const answer = await detectLabels(fake.clients.rekognition, { bucket: 'b', key: '2.jpg' }, 50, signal)
  expect(answer).toEqual({
    model: '3.0',
    labels: [
      { name: 'Car', confidence: 99.123456, boxes: [[0.1235, 0, 0.5, 1]] },
      { name: 'Road', confidence: 60, boxes: [] },
    ],
  })
  expect(JSON.parse(fake.requests[0]?.body ?? '')).toEqual({
    Image: { S3Object: { Bucket: 'b', Name: '2.jpg' } },
    MinConfidence: 50,
  })
})

test('all lines come, however uncertain', async () => {
  await using fake = await FakeService.start(() => json(200, text))
  const answer = await detectText(fake.clients.rekognition, { bytes }, signal)
  const line = { text: 'HELLO', confidence: 12.3456789, polygon: [[0.1235, 1]] }
  expect(answer).toEqual({ model: '3.0', lines: [line] })
  expect(JSON.parse(fake.requests[0]?.body ?? '')).toEqual({
    Image: { Bytes: 'AQID' },
    Filters: { WordFilter: { MinConfidence: 0 } },
  })
})

describe('an answer without what it always has is none', () => {
  test.each<[string, Answer, string]>([
    ['nothing', { headers: { 'content-type': 'application/x-amz-json-1.1' } }, 'not from Amazon Rekognition'],
    ['{}', json(200, {}), 'not from Amazon Rekognition'],
    ['no model version', json(200, { Labels: [], TextDetections: [] }), 'not from Amazon Rekognition'],
    [
      'no detections',
      json(200, { LabelModelVersion: '3', TextModelVersion: '3' }),
      'not from Amazon Rekognition',
    ],
    [
      'null',
      json(200, { ...labels, ...text, Labels: null, TextDetections: null }),
      'not from Amazon Rekognition',
    ],
    ['HTML', html(200), 'the answer is not from AWS (200, text/html)'],
  ])('%s', async (_name, answer, words) => {
    await using fake = await FakeService.start(() => answer)
    const { rekognition, calls } = fake.clients
    const failure = { kind: 'transient', message: expect.stringContaining(words) }
    await expect(detectLabels(rekognition, { bytes }, 50, signal)).rejects.toMatchObject(failure)
    await expect(detectText(rekognition, { bytes }, signal)).rejects.toMatchObject(failure)
    const failed = { answered: 0, throttled: 0, failed: 1 }
    expect(calls.results).toEqual({ DetectLabels: failed, DetectText: failed })
  })
})

test('an image with neither labels nor text has an answer', async () => {
  const answer = { Labels: [], LabelModelVersion: '3', TextDetections: [], TextModelVersion: '3' }
  await using fake = await FakeService.start(() => json(200, answer))
  const { rekognition } = fake.clients
  expect(await detectLabels(rekognition, { bytes }, 50, signal)).toEqual({ model: '3', labels: [] })
  expect(await detectText(rekognition, { bytes }, signal)).toEqual({ model: '3', lines: [] })
})

test('calls are counted by what they came to, and sent once', async () => {
  const answers = [
    json(200, labels),
    jsonError(400, 'ThrottlingException'),
    html(503),
    jsonError(500, 'InternalServerError'),
  ]
  await using fake = await FakeService.start((_request, count) => answers[count - 1] ?? html(500))
  const { rekognition, calls } = fake.clients
  for (const _ of answers) await detectLabels(rekognition, { bytes }, 50, signal).catch(() => undefined)
  expect(calls.counts).toEqual({ DetectLabels: 4 })
  expect(calls.results).toEqual({ DetectLabels: { answered: 1, throttled: 1, failed: 2 } })
  expect(calls.activity).toBe(4)
})

test('bytes that are no image are sent as bytes', async () => {
  await using fake = await FakeService.start(() => jsonError(400, 'InvalidImageFormatException'))
  const probe = detectText(fake.clients.rekognition, { bytes: notAnImage }, signal)
  await expect(probe).rejects.toMatchObject({ kind: 'subject', code: 'InvalidImageFormatException' })
})

describe('slow uploads', () => {
  const image = { bytes: new Uint8Array(4_900_000) }

  test('an upload that the service takes slowly is answered', async () => {
    await using service = await SlowService.start(20)
    const { rekognition } = service.clients
    expect((await detectText(rekognition, image, signal)).lines).toHaveLength(1)
  })

  test('one that stalls ends with its deadline: a timeout, not a shutdown', async () => {
    await using service = await SlowService.start('stalls')
    const { rekognition } = service.clients
    const shutdown = new AbortController()
    const call = withDeadline(500, shutdown.signal, (abort) => detectText(rekognition, image, abort))
    await expect(call).rejects.toThrow(TimeoutError)
  })

  test('one that stalls ends with a shutdown, as a shutdown', async () => {
    await using service = await SlowService.start('stalls')
    const { rekognition, calls } = service.clients
    const shutdown = new AbortController()
    const call = detectText(rekognition, image, shutdown.signal)
    await service.stalled
    expect(calls.oldestPending(0)?.operation).toBe('DetectText')
    shutdown.abort(new ShutdownError())
    await expect(call).rejects.toThrow(ShutdownError)
  })

  test('one that nobody limits ends by the limit of silence', async () => {
    await using service = await SlowService.start('stalls', { silenceMs: { rekognition: 500 } })
    const call = detectText(service.clients.rekognition, image, signal)
    await expect(call).rejects.toMatchObject({
      kind: 'timeout',
      message: 'DetectText: no answer within 0.5 s',
    })
  })
})

/** Reads a request in steps with pauses, or stops reading it after the first of them. */
class SlowService {
  readonly clients: Clients
  readonly stalled: Promise<void>
  readonly #server: http.Server

  static async start(pauseMs: number | 'stalls', options: ClientOptions = {}): Promise<SlowService> {
    const stalled = Promise.withResolvers<void>()
    const server = http.createServer((request, response) => {
      request.on('error', () => undefined)
      request.on('data', () => {
        request.pause()
        if (pauseMs === 'stalls') stalled.resolve()
        else setTimeout(() => request.resume(), pauseMs)
      })
      request.on('end', () => response.end(JSON.stringify(text)))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new SlowService(server, stalled.promise, options)
  }

  private constructor(server: http.Server, stalled: Promise<void>, options: ClientOptions) {
    this.stalled = stalled
    this.#server = server
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    this.clients = createClients(
      { region: 'us-east-1' },
      { endpoint, credentials, environment: {}, ...options },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.clients.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
