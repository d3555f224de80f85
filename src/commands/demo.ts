import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { createClients } from '../aws/clients.ts'
import { loadSettings } from '../config/settings.ts'
import { outcomeLines, shortPath } from '../demo/outcome.ts'
import { type DemoPaths, prepareDirectory } from '../demo/paths.ts'
import { DemoScreen } from '../demo/screen.ts'
import { runWorkers } from '../demo/workers.ts'
import { readEnvironment } from '../host/environment.ts'
import { ImgpipeError, Interrupted } from '../host/exit-codes.ts'
import { shutdownOnSignals } from '../host/shutdown.ts'
import { readStatus } from '../status/read-status.ts'
import { counted } from '../status/status-text.ts'
import { examples } from './examples.ts'
import { localParts, skippedLines } from './local.ts'
import { runReport } from './report.ts'

const samples = fileURLToPath(new URL('../../samples', import.meta.url))
const names = { bucket: 'imgpipe-demo', queue: 'imgpipe-demo', region: 'us-east-1' }
const newestRun = { maxRuns: 1, keepRuns: 1, maxFailures: 0 }
const redrawMs = 250

/** Adds `imgpipe demo` to the program. */
export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('run the whole pipeline on this machine: local cloud, both workers, real recognition')
    .argument('[directory]', 'your own JPEG and PNG images instead of the ten samples')
    .option('--out <directory>', 'directory for results, logs and the report', '.imgpipe/demo')
    .addHelpText(
      'after',
      examples(
        ['imgpipe demo', 'the ten sample images'],
        ['imgpipe demo ~/Pictures --out /tmp/demo', 'your own images'],
      ),
    )
    .action(async (directory: string | undefined, { out }: { out: string }) => {
      await runDemo(resolve(directory ?? samples), resolve(out))
      if (directory === undefined) console.log('With your own images:              npm run demo -- DIRECTORY')
    })
}

/** @throws {Interrupted} when it is stopped; no process is left running */
async function runDemo(photos: string, out: string): Promise<void> {
  const { graceful } = shutdownOnSignals()
  const paths = prepareDirectory(out, names)
  const cloud = await unlessInterrupted(startCloud(photos, graceful), graceful)
  try {
    await runPipeline(cloud.url, paths, graceful)
    if (graceful.aborted) throw new Interrupted('The demo was interrupted; all processes have been stopped.')
    for (const line of await outcomeLines(paths.stateDir)) console.log(line)
    await writeReport(cloud.url, paths)
  } finally {
    await cloud.stop()
  }
}

/** @throws {ImgpipeError} `usage` when there are no images */
async function startCloud(photos: string, signal: AbortSignal) {
  const { startLocalCloud, fillCloud, uploadImages, imagesIn } = await localParts()
  if ((await imagesIn(photos)).length === 0)
    throw new ImgpipeError('usage', `No JPEG or PNG files in ${photos}: specify a directory with images.`)
  console.log('Starting the local cloud: S3, SQS and Rekognition with real recognition models …')
  const { bucket, queue, region } = names
  return startLocalCloud({
    port: 0,
    prepare: async (url) => {
      await fillCloud(url, { region, buckets: [bucket], queue })
      const uploaded = await uploadImages(url, { region, bucket, directory: photos, signal })
      console.log(`Uploaded ${counted(uploaded.images, 'image')} from ${shortPath(photos)}.`)
      for (const line of skippedLines(uploaded)) console.log(line)
    },
  })
}

/** Loading the models cannot be interrupted, but the demo need not wait for it. */
function unlessInterrupted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = new Promise<never>((_, reject) => {
    const onAbort = () => reject(new Interrupted('The demo was interrupted before it started.'))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  return Promise.race([work, stopped])
}

async function runPipeline(url: string, paths: DemoPaths, signal: AbortSignal): Promise<void> {
  console.log('Starting both workers.\n')
  const screen = new DemoScreen(process.stdout, readEnvironment())
  const draw = async () => {
    // The workers may not have created the state directory and the databases yet.
    const status = await readStatus(paths.stateDir, newestRun).catch(() => undefined)
    if (status?.runs[0]) screen.draw(status.runs[0])
  }
  const timer = setInterval(() => void draw(), redrawMs)
  signal.addEventListener('abort', () => {
    clearInterval(timer)
    console.log('Stopping both workers …')
  })
  try {
    await runWorkers(url, paths, signal)
  } finally {
    clearInterval(timer)
    if (!signal.aborted) await draw()
    console.log('')
  }
}

async function writeReport(endpoint: string, { settingsFile, report, logs }: DemoPaths): Promise<void> {
  const settings = loadSettings({ configFile: settingsFile, environment: {} })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const clients = createClients(settings, { endpoint, credentials })
  try {
    const { index } = await runReport({ out: report }, { settings, s3: clients.s3, print: () => undefined })
    console.log(`\nThe report, with bounding boxes:   ${pathToFileURL(index)}`)
    console.log(`Logs of the workers:               ${shortPath(logs.detector)}, ${shortPath(logs.reader)}`)
  } finally {
    clients.close()
  }
}
