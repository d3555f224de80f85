import { RekognitionClient } from '@aws-sdk/client-rekognition'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import sharp from 'sharp'
import { onTestFinished } from 'vitest'
import { type LocalCloud, type LocalCloudOptions, startLocalCloud } from '../../src/local/server.ts'
import type { Box, DetectedObject, TextLine, TextWord, Vision } from '../../src/local/vision/vision.ts'

/** A fixed result, for tests of the protocol rather than the models. */
export function seeing({
  objects = [],
  lines = [],
}: {
  objects?: DetectedObject[]
  lines?: TextLine[]
}): Vision {
  return { objects: async () => objects, text: async () => lines, close: async () => {} }
}

/** A local cloud on its own port with clients; stopped at the end of the test or file. */
export async function testCloud(
  options: Partial<LocalCloudOptions> = {},
  atEnd: (stop: () => Promise<void>) => void = onTestFinished,
): Promise<LocalCloud & { s3: S3Client; sqs: SQSClient; rekognition: RekognitionClient }> {
  const cloud = await startLocalCloud({ port: 0, vision: seeing({}), ...options })
  const common = {
    endpoint: cloud.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  }
  const s3 = new S3Client({ ...common, forcePathStyle: true })
  // Default configuration: it sends to the host of the queue's URL.
  const sqs = new SQSClient(common)
  const rekognition = new RekognitionClient(common)
  const stop = async () => {
    for (const client of [s3, sqs, rekognition]) client.destroy()
    await cloud.stop()
  }
  atEnd(stop)
  return { url: cloud.url, stop, s3, sqs, rekognition }
}

export function object(name: string, confidence: number, box: Partial<Box> = {}): DetectedObject {
  return { name, confidence, box: { left: 0.1, top: 0.1, width: 0.5, height: 0.5, ...box } }
}

/** A word in an axis-aligned box. */
export function word(text: string, confidence: number, box: Partial<Box> = {}): TextWord {
  const { left, top, width, height } = { left: 0.1, top: 0.1, width: 0.2, height: 0.1, ...box }
  const [right, bottom] = [left + width, top + height]
  const polygon = [
    { x: left, y: top },
    { x: right, y: top },
    { x: right, y: bottom },
    { x: left, y: bottom },
  ]
  return { text, confidence, polygon }
}

/** A line that spans its words. */
export function line(confidence: number, ...words: TextWord[]): TextLine {
  const first = words.at(0)?.polygon ?? []
  const last = words.at(-1)?.polygon ?? []
  const polygon = [...first.slice(0, 1), ...last.slice(1, 3), ...first.slice(3, 4)]
  return { text: words.map(({ text }) => text).join(' '), confidence, polygon, words }
}

/** A single-colour image. */
export async function testImage(
  format: 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif' = 'jpeg',
  width = 100,
  height = 100,
): Promise<Uint8Array> {
  const plain = sharp({ create: { width, height, channels: 3, background: '#3a6' }, limitInputPixels: false })
  return plain.toFormat(format).toBuffer()
}

/** A raw request, without an SDK that would correct it. */
export async function call(
  url: string,
  operation: string,
  body: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `RekognitionService.${operation}`,
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const answer: unknown = await response.json()
  const { __type = '', Message = '', message = Message } = Object(answer)
  return {
    status: response.status,
    headers: response.headers,
    answer,
    error: String(__type),
    message: String(message),
  }
}
