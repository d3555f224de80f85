import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { DetectLabelsCommand, DetectTextCommand, RekognitionClient } from '@aws-sdk/client-rekognition'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { fillCloud } from '../../../src/local/contents.ts'
import { type LocalCloud, startLocalCloud } from '../../../src/local/server.ts'
import { type Gate, openGate } from './gate.ts'

const samples = fileURLToPath(new URL('../../../samples/', import.meta.url))
const region = 'us-east-1'
const names = { region, bucket: 'images', queue: 'imgpipe' }

/** The local cloud with real recognition, behind the gate, and the results that its images must give. */
export class TestCloud {
  readonly names = names
  /** of a further pipeline */
  readonly secondQueue = 'second'
  readonly gate: Gate
  readonly #cloud: LocalCloud
  readonly #s3: S3Client
  readonly #rekognition: RekognitionClient
  readonly #samples: readonly { key: string; bytes: Uint8Array }[]
  /** the expected text of each sample; undefined = no car, or no text */
  readonly #texts = new Map<string, string | undefined>()

  static async start(): Promise<TestCloud> {
    const cloud = await startLocalCloud({ port: 0 })
    for (const queue of [names.queue, 'second']) {
      await fillCloud(cloud.url, { region, buckets: [names.bucket], queue })
    }
    const keys = (await readdir(samples)).filter((name) => name.endsWith('.jpg')).sort()
    const images = keys.map(async (key) => ({ key, bytes: await readFile(`${samples}${key}`) }))
    return new TestCloud(cloud, await openGate(cloud.url), await Promise.all(images))
  }

  private constructor(cloud: LocalCloud, gate: Gate, images: readonly { key: string; bytes: Uint8Array }[]) {
    this.#cloud = cloud
    this.gate = gate
    this.#samples = images
    const common = {
      endpoint: cloud.url,
      region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    }
    this.#s3 = new S3Client({ ...common, forcePathStyle: true })
    this.#rekognition = new RekognitionClient(common)
  }

  /**
   * Puts `count` images under the prefix: the samples, again and again, as 1.jpg, 2.jpg …
   * @returns the lines that results.txt must have after a run over them
   */
  async upload(prefix: string, count: number): Promise<string[]> {
    const lines: string[] = []
    for (let index = 1; index <= count; index++) {
      const sample = this.#samples[index % this.#samples.length]
      if (!sample) throw new Error(`There are no sample images in ${samples}`)
      const key = `${prefix}${index}.jpg`
      await this.#s3.send(new PutObjectCommand({ Bucket: names.bucket, Key: key, Body: sample.bytes }))
      const text = await this.#textOf(sample)
      if (text !== undefined) lines.push(`${key}: ${text}`)
    }
    return lines
  }

  /** What the service itself answers about an image, asked directly: the expectation for both workers. */
  async #textOf({ key, bytes }: { key: string; bytes: Uint8Array }): Promise<string | undefined> {
    if (!this.#texts.has(key)) {
      const image = { Bytes: bytes }
      const { Labels = [] } = await this.#rekognition.send(new DetectLabelsCommand({ Image: image }))
      const hasCar = Labels.some(({ Name, Confidence = 0 }) => Name === 'Car' && Confidence > 90)
      const { TextDetections = [] } = await this.#rekognition.send(new DetectTextCommand({ Image: image }))
      const lines = TextDetections.filter(({ Type }) => Type === 'LINE').map(
        ({ DetectedText }) => DetectedText,
      )
      this.#texts.set(key, hasCar && lines.length > 0 ? lines.join(' | ') : undefined)
    }
    return this.#texts.get(key)
  }

  async stop(): Promise<void> {
    this.#s3.destroy()
    this.#rekognition.destroy()
    await this.gate.stop()
    await this.#cloud.stop()
  }
}
