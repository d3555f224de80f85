import type { Command } from 'commander'
import { deadLetterQueueFor } from '../aws/queue-plan.ts'
import { loadSettings } from '../config/settings.ts'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { stopOnSignals } from '../daemon/stop-signal.ts'
import type { CloudContents, Uploaded } from '../local/contents.ts'
import type { LocalCloud } from '../local/server.ts'
import { displaySafe } from '../protocol/display.ts'
import { examples } from './examples.ts'

export interface LocalOptions {
  /** Default 4566; 0 = any free one. */
  port?: number
  /** Folder whose JPEGs and PNGs are uploaded. */
  photos?: string
  /** Folder that keeps buckets and queues; without it they end with the process. */
  data?: string
  /** Rekognition's quota for each operation; 0 = none. */
  maxRps?: number
  bucket?: string
  /** Made too when it is another one. */
  resultsBucket?: string
  /** A name or a URL, as in the settings. */
  queue?: string
  region?: string
}

interface LocalSurroundings {
  /** Aborted when the cloud is to end. */
  stopSignal: AbortSignal
  print: (line: string) => void
}

const defaultPort = 4566

/** Adds `imgpipe local` to the program. */
export function addLocal(program: Command): void {
  program
    .command('local')
    .description('serve S3, SQS and Rekognition on one local port, with real recognition and no account')
    .option('--port <number>', `port on 127.0.0.1 (default: ${defaultPort}; 0: any free one)`, readPort)
    .option('--photos <folder>', 'upload the JPEG and PNG files of this folder')
    .option('--data <folder>', 'keep buckets and queues in this folder over restarts')
    .option('--max-rps <number>', 'quota of each Rekognition operation, in requests a second', readRate)
    .option('--config <file>', 'settings, for the names of bucket and queue')
    .addHelpText(
      'after',
      examples(
        ['imgpipe local --photos ~/Pictures', 'a bucket full of your own pictures'],
        ['imgpipe local --max-rps 5 --data ./cloud', "a region's quota, and buckets that stay"],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<LocalOptions & { config?: string }>()
      const { bucket, resultsBucket, queue, region } = loadSettings({ configFile: options.config })
      const names = { bucket, resultsBucket, queue, region }
      await runLocal({ ...names, ...options }, { stopSignal: stopOnSignals().soft, print: console.log })
    })
}

/** @throws {ImgpipeError} `usage` */
function readPort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new ImgpipeError('usage', `--port must be a whole number from 0 to 65535, and is "${text}".`)
}

/** @throws {ImgpipeError} `usage` */
function readRate(text: string): number {
  const rate = Number(text)
  if (text.trim() !== '' && Number.isFinite(rate) && rate >= 0) return rate
  throw new ImgpipeError('usage', `--max-rps must be a number of requests a second, and is "${text}".`)
}

/**
 * Serves until the signal is aborted.
 *
 * @throws {ImgpipeError} `usage` for a folder of pictures that cannot be read, `unavailable` for a port in use
 */
export async function runLocal(options: LocalOptions, surroundings: LocalSurroundings): Promise<void> {
  const { stopSignal, print } = surroundings
  const { startLocalCloud } = await localParts()
  const contents = contentsOf(options)
  print('Starting the local cloud (the recognition models take a few seconds) …')
  const cloud = await startLocalCloud({
    port: options.port ?? defaultPort,
    ...(options.data === undefined ? {} : { dataDir: options.data }),
    maxRequestsPerSecond: options.maxRps ?? 0,
    log: print,
    prepare: (url) => prepare(url, contents, options, surroundings),
  })
  for (const line of welcome(cloud, contents, options)) print(line)
  await aborted(stopSignal)
  print('Stopping the local cloud …')
  await cloud.stop()
}

/**
 * The local cloud's own parts, loaded only when it is wanted: an installed host has no development packages.
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
      'The local cloud needs the development packages, which an installed imgpipe does not have: run it in a checkout, as "npm run imgpipe -- local".',
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
  { stopSignal, print }: LocalSurroundings,
): Promise<void> {
  const { fillCloud, uploadPictures } = await localParts()
  await fillCloud(url, contents)
  if (options.photos === undefined) return
  const { bucket, region } = contents
  const upload = { region, bucket, folder: options.photos, signal: stopSignal }
  const uploaded = await uploadPictures(url, upload)
  const { pictures, bytes } = uploaded
  const megabytes = (bytes / 1_000_000).toFixed(1)
  print(`Uploaded ${pictures} pictures (${megabytes} MB) from ${options.photos} to s3://${bucket}`)
  for (const line of leftOutLines(uploaded)) print(line)
}

/** @returns a sentence on files that could not be read, if there are any */
export function leftOutLines({ unreadable }: Uploaded): string[] {
  const [first] = unreadable
  if (first === undefined) return []
  return [`Left out, for they cannot be read: ${unreadable.length}, the first is ${displaySafe(first)}`]
}

function welcome({ url }: LocalCloud, { bucket, queue, region }: Contents, options: LocalOptions): string[] {
  const kept = options.data === undefined ? 'in memory: all is gone when it ends' : `in ${options.data}`
  const quota = options.maxRps ? `${options.maxRps} requests a second for each operation` : 'none'
  return [
    `The local cloud is ready: ${url} (S3, SQS and Rekognition)`,
    `  bucket             ${bucket}`,
    `  queue              ${queue}, dead letters in ${deadLetterQueueFor(queue)}`,
    `  kept               ${kept}`,
    `  Rekognition quota  ${quota}`,
    'To use it from another terminal:',
    `  export AWS_ENDPOINT_URL=${url} AWS_REGION=${region}`,
    '  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local',
    'Ctrl-C ends it.',
  ]
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
