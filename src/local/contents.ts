import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { deadLetterQueueName, defaultRetentionSeconds } from '../aws/queue-attributes.ts'
import { ImgpipeError } from '../host/exit-codes.ts'

/** What a local cloud is given to begin with. */
export interface CloudContents {
  region: string
  buckets: string[]
  /** Made with the dead-letter queue that `deadLetterQueueName` names. */
  queue: string
}

export interface UploadOptions {
  region: string
  bucket: string
  /** Searched with all folders in it; keys are the paths within it, with slashes. */
  folder: string
  signal?: AbortSignal
}

export interface Uploaded {
  pictures: number
  bytes: number
  /** files that could not be read and were left out: paths in the folder */
  unreadable: string[]
}

/** Signatures are not checked, but without credentials the SDK sends nothing. */
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }

/** Far above the deliveries that a picture can need: only what is no message of ours should end there. */
const maxReceiveCount = 100
const uploadsAtATime = 8
const contentTypes: ReadonlyMap<string, string> = new Map([
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.png', 'image/png'],
])

/** Makes buckets and queues that are missing; those that are there stay as they are. */
export async function fillCloud(url: string, { region, buckets, queue }: CloudContents): Promise<void> {
  const s3 = s3Client(url, region)
  const sqs = new SQSClient({ endpoint: url, region, credentials, useQueueUrlAsEndpoint: false })
  try {
    for (const bucket of buckets) await s3.send(new CreateBucketCommand({ Bucket: bucket }))
    await createQueue(sqs, deadLetterQueueName(queue), {})
    await createQueue(sqs, queue, { RedrivePolicy: redrivePolicy(region, queue) })
  } finally {
    s3.destroy()
    sqs.destroy()
  }
}

async function createQueue(sqs: SQSClient, name: string, attributes: Record<string, string>): Promise<void> {
  const fifo = name.endsWith('.fifo') ? { FifoQueue: 'true' } : {}
  const retention = { MessageRetentionPeriod: String(defaultRetentionSeconds) }
  const command = new CreateQueueCommand({
    QueueName: name,
    Attributes: { ...retention, ...fifo, ...attributes },
  })
  // The settings of a queue that is there already are its owner's choice.
  await sqs.send(command).catch((error: Error) => {
    if (error.name !== 'QueueNameExists') throw error
  })
}

function redrivePolicy(region: string, queue: string): string {
  const deadLetterTargetArn = `arn:aws:sqs:${region}:000000000000:${deadLetterQueueName(queue)}`
  return JSON.stringify({ deadLetterTargetArn, maxReceiveCount })
}

/**
 * Uploads every JPEG and PNG of a folder, by its name's ending; nothing else is touched, nothing hidden either.
 * Ends early when the signal is aborted.
 *
 * @throws {ImgpipeError} `usage` when the folder cannot be read
 */
export async function uploadPictures(url: string, options: UploadOptions): Promise<Uploaded> {
  const paths = await picturesIn(options.folder)
  const s3 = s3Client(url, options.region)
  const uploaded: Uploaded = { pictures: 0, bytes: 0, unreadable: [] }
  const next = paths.values()
  const uploader = async () => {
    for (const path of next) {
      if (options.signal?.aborted) return
      const Body = await contentOf(path)
      if (Body === 'unreadable') uploaded.unreadable.push(relative(options.folder, path))
      if (typeof Body === 'string') continue
      await s3.send(new PutObjectCommand({ ...objectOf(options, path), Body }))
      uploaded.bytes += Body.length
      uploaded.pictures += 1
    }
  }
  try {
    await Promise.all(Array.from({ length: uploadsAtATime }, uploader))
    return uploaded
  } finally {
    s3.destroy()
  }
}

/**
 * The paths of what has a picture's name in a folder and the folders in it; hidden ones hold other programs' things.
 *
 * @throws {ImgpipeError} `usage` when the folder cannot be read
 */
export async function picturesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    const message = `The pictures cannot be read from ${folder}: ${whyNot(cause)}; give a folder of JPEG or PNG files.`
    throw new ImgpipeError('usage', message, { cause })
  })
  const isShown = (name: string) => !name.split(sep).some((part) => part.startsWith('.'))
  return entries
    .filter((name) => contentTypes.has(ending(name)) && isShown(name))
    .map((name) => join(folder, name))
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'there is no such folder'
  return code === 'ENOTDIR' ? 'it is a file' : message
}

function ending(name: string): string {
  return name.slice(name.lastIndexOf('.')).toLowerCase()
}

/** What only has a picture's name, such as a folder, is no file; a link to nowhere cannot be read. */
async function contentOf(path: string): Promise<Buffer | 'no file' | 'unreadable'> {
  try {
    return (await stat(path)).isFile() ? await readFile(path) : 'no file'
  } catch {
    return 'unreadable'
  }
}

function objectOf({ bucket, folder }: UploadOptions, path: string) {
  const Key = relative(folder, path).split(sep).join('/')
  return { Bucket: bucket, Key, ContentType: contentTypes.get(ending(path)) }
}

function s3Client(url: string, region: string): S3Client {
  return new S3Client({ endpoint: url, region, credentials, forcePathStyle: true })
}
