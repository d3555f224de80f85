import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { type LocalCloud, startLocalCloud } from '../../src/local/server.ts'
import { FaultProxy, type FaultRule } from './fault-proxy.ts'
import { SimulatedVision } from './simulated-vision.ts'
import { WorkerProcess } from './worker-process.ts'

export interface TestCloudOptions {
  readonly seed?: number
  /** the queue's own; a killed reader's messages come again after so long. Default 2 */
  readonly visibilitySeconds?: number
  readonly isFifo?: boolean
  /** Rekognition's quota; 0 = none */
  readonly maxRequestsPerSecond?: number
  /** of one look at an image */
  readonly latency?: () => Promise<void>
  readonly faults?: readonly FaultRule[]
}

export const bucket = 'images'
const region = 'us-east-1'
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/**
 * All that a test of the two workers needs: a local cloud whose vision is simulated, a bucket and a queue in
 * it, a fault proxy before it through which workers go, and state directories. The test itself looks and puts
 * things past the proxy.
 */
export class TestCloud {
  readonly vision: SimulatedVision
  readonly proxy: FaultProxy
  readonly queueUrl: string
  readonly sqs: SQSClient
  readonly s3: S3Client
  /** holds everything that the test leaves on the disk */
  readonly directory: string
  readonly #cloud: LocalCloud
  readonly #queueName: string

  static async start(options: TestCloudOptions = {}): Promise<TestCloud> {
    const vision = new SimulatedVision(options.latency)
    const { maxRequestsPerSecond = 0, seed = 0, faults = [], visibilitySeconds = 2 } = options
    const cloud = await startLocalCloud({ port: 0, vision, maxRequestsPerSecond })
    const common = { endpoint: cloud.url, region, credentials }
    const sqs = new SQSClient(common)
    const s3 = new S3Client({ ...common, forcePathStyle: true })
    await s3.send(new CreateBucketCommand({ Bucket: bucket }))
    const queueName = options.isFifo ? 'cars.fifo' : 'cars'
    const queueUrl = await createQueue(sqs, queueName, visibilitySeconds)
    const proxy = await FaultProxy.start(cloud.url, seed, faults)
    const directory = await mkdtemp(join(tmpdir(), 'imgpipe-test-'))
    return new TestCloud({ vision, proxy, sqs, s3, directory, cloud, queueName, queueUrl })
  }

  private constructor(parts: {
    vision: SimulatedVision
    proxy: FaultProxy
    sqs: SQSClient
    s3: S3Client
    directory: string
    cloud: LocalCloud
    queueName: string
    queueUrl: string
  }) {
    this.vision = parts.vision
    this.proxy = parts.proxy
    this.sqs = parts.sqs
    this.s3 = parts.s3
    this.directory = parts.directory
    this.queueUrl = parts.queueUrl
    this.#cloud = parts.cloud
    this.#queueName = parts.queueName
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }))
  }

  get detectorState(): string {
    return join(this.directory, 'a')
  }

  get readerState(): string {
    return join(this.directory, 'b')
  }

  /** What a worker is told by its environment, so that it works here. */
  environment(stateDir: string): Record<string, string> {
    return {
      HOME: this.directory,
      AWS_ENDPOINT_URL: this.proxy.url,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
      IMGPIPE_BUCKET: bucket,
      IMGPIPE_QUEUE: this.#queueName,
      IMGPIPE_REGION: region,
      IMGPIPE_STATE_DIR: stateDir,
    }
  }

  detector(more: Record<string, string> = {}, preload?: string, words: string[] = []): WorkerProcess {
    const environment = { ...this.environment(this.detectorState), ...more }
    return WorkerProcess.start({ arguments: ['detect', ...words], environment, preload })
  }

  reader(more: Record<string, string> = {}, preload?: string, words: string[] = []): WorkerProcess {
    const environment = { ...this.environment(this.readerState), ...more }
    return WorkerProcess.start({ arguments: ['read', ...words], environment, preload })
  }

  /** results.txt of the run that finished last; undefined while there is none */
  results(): Promise<string | undefined> {
    return readFile(join(this.readerState, 'results.txt'), 'utf8').catch(() => undefined)
  }

  /** Makes another queue. @returns its URL */
  queue(name: string, visibilitySeconds = 2): Promise<string> {
    return createQueue(this.sqs, name, visibilitySeconds)
  }

  /** Messages in a queue: to be had, in somebody's hands, and held back. */
  async messages(QueueUrl = this.queueUrl): Promise<{ visible: number; inFlight: number; delayed: number }> {
    const command = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })
    const { Attributes = {} } = await this.sqs.send(command)
    return {
      visible: Number(Attributes.ApproximateNumberOfMessages),
      inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
      delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed),
    }
  }

  /** @returns when no message is left in the queue, nor in anybody's hands */
  async drained(queueUrl = this.queueUrl): Promise<void> {
    await until(async () => {
      const { visible, inFlight, delayed } = await this.messages(queueUrl)
      return visible + inFlight + delayed === 0
    })
  }

  async stop(): Promise<void> {
    await this.proxy.stop()
    this.sqs.destroy()
    this.s3.destroy()
    await this.#cloud.stop()
    await rm(this.directory, { recursive: true, force: true })
  }
}

async function createQueue(sqs: SQSClient, name: string, visibilitySeconds: number): Promise<string> {
  const Attributes = {
    VisibilityTimeout: String(visibilitySeconds),
    ...(name.endsWith('.fifo') && { FifoQueue: 'true' }),
  }
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes }))
  return QueueUrl
}

/** Looks ten times a second; it is the test's own timeout that ends the waiting. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await delay(100)
}
