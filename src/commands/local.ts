import type { Command } from 'commander'
import { deadLetterQueueName } from '../aws/queue-attributes.ts'
import { loadSettings } from '../config/settings.ts'
import { displaySafe } from '../host/display.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { shutdownOnSignals } from '../host/shutdown.ts'
import type { CloudContents, Uploaded } from '../local/contents.ts'
import type { LocalCloud } from '../local/server.ts'
import { examples } from './examples.ts'

export interface LocalOptions {
  /** default 4566; 0 = any free port */
  port?: number
  /** directory whose JPEG and PNG files are uploaded */
  photos?: string
  /** directory that buckets and queues are stored in; default: in memory */
  data?: string
  /** Rekognition's quota for each operation, per second; 0 = none */
  maxRps?: number
  bucket?: string
  /** created as well, if it differs from the bucket */
  resultsBucket?: string
  /** name or URL, as in the settings */
  queue?: string
  region?: string
}

interface LocalDependencies {
  /** stops the cloud */
  signal: AbortSignal
  print: (line: string) => void
}

const defaultPort = 4566

/** Adds `imgpipe local` to the program. */
export function addLocal(program: Command): void {
  program
    .command('local')
    .description(
      'serve S3, SQS and Rekognition on one local port, with real recognition; no AWS account needed',
    )
    .option('--port <number>', `port on 127.0.0.1 (default: ${defaultPort}; 0: any free port)`, parsePort)
    .option('--photos <directory>', 'upload the JPEG and PNG files of this directory')
    .option('--data <directory>', 'keep buckets and queues in this directory across restarts')
    .option('--max-rps <number>', 'quota of each Rekognition operation, in requests per second', parseRate)
    .option('--config <file>', 'settings file with the bucket and queue names')
    .addHelpText(
      'after',
      examples(
        ['imgpipe local --photos ~/Pictures', 'a bucket with your own images'],
        ['imgpipe local --max-rps 5 --data ./cloud', "a region's quota, and persistent buckets"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<LocalOptions & { config?: string }>()
      const { bucket, resultsBucket, queue, region } = loadSettings({ configFile: options.config })
      const names = { bucket, resultsBucket, queue, region }
      await runLocal({ ...names, ...options }, { signal: shutdownOnSignals().graceful, print: console.log })
    })
}

/** @throws {ImgpipeError} `usage` */
function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new ImgpipeError('usage', `--port must be a whole number from 0 to 65535, but is "${text}".`)
}

/** @throws {ImgpipeError} `usage` */
function parseRate(text: string): number {
  const rate = Number(text)
  if (text.trim() !== '' && Number.isFinite(rate) && rate >= 0) return rate
  throw new ImgpipeError('usage', `--max-rps must be a number of requests per second, but is "${text}".`)
}

/**
 * Serves until the signal is aborted.
 *
 * @throws {ImgpipeError} `usage` for an unreadable image directory, `unavailable` for a port in use
 */
export async function runLocal(options: LocalOptions, dependencies: LocalDependencies): Promise<void> {
  const { signal, print } = dependencies
  const { startLocalCloud } = await localParts()
  const contents = contentsOf(options)
  print('Starting the local cloud (the recognition models take a few seconds) …')
  const cloud = await startLocalCloud({
    port: options.port ?? defaultPort,
    ...(options.data === undefined ? {} : { dataDir: options.data }),
    maxRequestsPerSecond: options.maxRps ?? 0,
    log: print,
    prepare: (url) => prepare(url, contents, options, dependencies),
  })
  for (const line of welcome(cloud, contents, options)) print(line)
  await aborted(signal)
  print('Stopping the local cloud …')
  await cloud.stop()
}

/**
 * The modules of the local cloud, loaded on demand: an installed host has no development packages.
 *
 * @throws {ImgpipeError} `usage` where they are missing
 */
export async function localParts() {
  try {
    const [contents, server] = await Promise.all([
      import('../local/contents.ts'),
      import('../local/server.ts'),
    ])
    return { ...contents, ...server }
  } catch (cause) {
    throw new ImgpipeError(
      'usage',
      'The local cloud requires the development packages, which are not part of an installation: run "npm run imgpipe -- local" in a checkout.',
      { cause },
    )
  }
}

type Contents = CloudContents & { bucket: string }

function contentsOf(options: LocalOptions): Contents {
  const { bucket = 'njit-cs-643', resultsBucket = '', queue = 'imgpipe', region = 'us-east-1' } = options
  const buckets = resultsBucket === '' ? [bucket] : [bucket, resultsBucket]
  return { bucket, buckets, queue: queue.slice(queue.lastIndexOf('/') + 1), region }
}

async function prepare(
  url: string,
  contents: Contents,
  options: LocalOptions,
  { signal, print }: LocalDependencies,
): Promise<void> {
  const { fillCloud, uploadImages } = await localParts()
  await fillCloud(url, contents)
  if (options.photos === undefined) return
  const { bucket, region } = contents
  const upload = { region, bucket, directory: options.photos, signal }
  const uploaded = await uploadImages(url, upload)
  const { images, bytes } = uploaded
  const megabytes = (bytes / 1_000_000).toFixed(1)
  print(`Uploaded ${images} images (${megabytes} MB) from ${options.photos} to s3://${bucket}`)
  for (const line of skippedLines(uploaded)) print(line)
}

/** @returns a line about unreadable files, if there are any */
export function skippedLines({ unreadable }: Uploaded): string[] {
  const [first] = unreadable
  if (first === undefined) return []
  const count = `${unreadable.length} unreadable file${unreadable.length === 1 ? '' : 's'}`
  return [`Skipped ${count}, first: ${displaySafe(first)}`]
}

function welcome({ url }: LocalCloud, { bucket, queue, region }: Contents, options: LocalOptions): string[] {
  const storage = options.data === undefined ? 'in memory (lost on exit)' : options.data
  const quota = options.maxRps ? `${options.maxRps} requests per second for each operation` : 'none'
  return [
    `The local cloud is ready: ${url} (S3, SQS and Rekognition)`,
    `  bucket             ${bucket}`,
    `  queue              ${queue}, dead-letter queue ${deadLetterQueueName(queue)}`,
    `  storage            ${storage}`,
    `  Rekognition quota  ${quota}`,
    'To use it in another terminal:',
    `  export AWS_ENDPOINT_URL=${url} AWS_REGION=${region}`,
    '  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local',
    'Press Ctrl-C to stop it.',
  ]
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
