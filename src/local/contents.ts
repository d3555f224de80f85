import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { deadLetterQueueName, defaultRetentionSeconds } from '../aws/queue-attributes.ts'
import { ImgpipeError } from '../host/exit-codes.ts'

/** The initial contents of a local cloud. */
export interface CloudContents {
  region: string
  buckets: string[]
  /** Created together with its dead-letter queue (see `deadLetterQueueName`). */
  queue: string
}

export interface UploadOptions {
  region: string
  bucket: string
  /** Searched recursively; keys are the paths relative to it, with slashes. */
  directory: string
  signal?: AbortSignal
}

export interface Uploaded {
  images: number
  bytes: number
  /** files that could not be read and were skipped: paths relative to the directory */
  unreadable: string[]
}

/** Signatures are not checked, but the SDK requires credentials. */
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }

/** Far above the deliveries that any image needs: only messages that imgpipe did not send should be moved there. */
const maxReceiveCount = 100
const maxConcurrentUploads = 8
const contentTypes: ReadonlyMap<string, string> = new Map([
  ['.jpg', 'image/jpeg'],
  ['.jpeg', 'image/jpeg'],
  ['.png', 'image/png'],
])

/** Creates missing buckets and queues; existing ones are left unchanged. */
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
  // An existing queue keeps its owner's attributes.
  await sqs.send(command).catch((error: Error) => {
    if (error.name !== 'QueueNameExists') throw error
  })
}

function redrivePolicy(region: string, queue: string): string {
  const deadLetterTargetArn = `arn:aws:sqs:${region}:000000000000:${deadLetterQueueName(queue)}`
  return JSON.stringify({ deadLetterTargetArn, maxReceiveCount })
}

/**
 * Uploads every JPEG and PNG file of a directory, by file extension; hidden files are skipped.
 * Ends early when the signal is aborted.
 *
 * @throws {ImgpipeError} `usage` when the directory cannot be read
 */
export async function uploadImages(url: string, options: UploadOptions): Promise<Uploaded> {
  const paths = await imagesIn(options.directory)
  const s3 = s3Client(url, options.region)
  const uploaded: Uploaded = { images: 0, bytes: 0, unreadable: [] }
  const next = paths.values()
  const uploader = async () => {
    for (const path of next) {
      if (options.signal?.aborted) return
      const Body = await contentOf(path)
      if (Body === 'unreadable') uploaded.unreadable.push(relative(options.directory, path))
      if (typeof Body === 'string') continue
      await s3.send(new PutObjectCommand({ ...objectOf(options, path), Body }))
      uploaded.bytes += Body.length
      uploaded.images += 1
    }
  }
  try {
    await Promise.all(Array.from({ length: maxConcurrentUploads }, uploader))
    return uploaded
  } finally {
    s3.destroy()
  }
}

/**
 * The paths of all files with an image's extension, recursively; hidden files and directories belong to other programs.
 *
 * @throws {ImgpipeError} `usage` when the directory cannot be read
 */
export async function imagesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    const message = `Cannot read images from ${directory}: ${reasonOf(cause)}. Specify a directory of JPEG or PNG files.`
    throw new ImgpipeError('usage', message, { cause })
  })
  const isShown = (name: string) => !name.split(sep).some((part) => part.startsWith('.'))
  return entries
    .filter((name) => contentTypes.has(extension(name)) && isShown(name))
    .map((name) => join(directory, name))
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'no such directory'
  return code === 'ENOTDIR' ? 'not a directory' : message
}

function extension(name: string): string {
  return name.slice(name.lastIndexOf('.')).toLowerCase()
}

/** A directory may have an image's extension; a broken link cannot be read. */
async function contentOf(path: string): Promise<Buffer | 'not-a-file' | 'unreadable'> {
  try {
    return (await stat(path)).isFile() ? await readFile(path) : 'not-a-file'
  } catch {
    return 'unreadable'
  }
}

function objectOf({ bucket, directory }: UploadOptions, path: string) {
  const Key = relative(directory, path).split(sep).join('/')
  return { Bucket: bucket, Key, ContentType: contentTypes.get(extension(path)) }
}

function s3Client(url: string, region: string): S3Client {
  return new S3Client({ endpoint: url, region, credentials, forcePathStyle: true })
}
