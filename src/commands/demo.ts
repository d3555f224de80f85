import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { createClients } from '../aws/clients.ts'
import { loadSettings } from '../config/settings.ts'
import { readSurroundings } from '../config/surroundings.ts'
import { ImgpipeError, Interrupted } from '../daemon/exit-codes.ts'
import { stopOnSignals } from '../daemon/stop-signal.ts'
import { outcomeLines, shortPath } from '../demo/outcome.ts'
import { type DemoPlace, prepareFolder } from '../demo/place.ts'
import { DemoScreen } from '../demo/screen.ts'
import { runWorkers } from '../demo/workers.ts'
import { readStatus } from '../status/read-status.ts'
import { counted } from '../status/status-text.ts'
import { examples } from './examples.ts'
import { leftOutLines, localParts } from './local.ts'
import { runReport } from './report.ts'

const samples = fileURLToPath(new URL('../../samples', import.meta.url))
const names = { bucket: 'imgpipe-demo', queue: 'imgpipe-demo', region: 'us-east-1' }
const redrawMilliseconds = 250

/** Adds `imgpipe demo` to the program. */
export function addDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'the whole pipeline on this machine: local cloud, both workers, real recognition, then the result',
    )
    .argument('[folder]', 'your own JPEG and PNG pictures instead of the ten samples')
    .option('--out <folder>', 'where results, logs and the report go', '.imgpipe/demo')
    .addHelpText(
      'after',
      examples(
        ['imgpipe demo', 'the ten sample pictures'],
        ['imgpipe demo ~/Pictures --out /tmp/demo', 'your own'],
      ),
    )
    .action(async (folder: string | undefined, { out }: { out: string }) => {
      await runDemo(resolve(folder ?? samples), resolve(out))
      if (folder === undefined) console.log('With your own pictures:            npm run demo -- FOLDER')
    })
}

/** @throws {Interrupted} when it is stopped; nothing is left running then */
async function runDemo(photos: string, out: string): Promise<void> {
  const { soft } = stopOnSignals()
  const place = await prepareFolder(out, names)
  const cloud = await unlessStopped(startCloud(photos, soft), soft)
  try {
    await work(cloud.url, place, soft)
    if (soft.aborted)
      throw new Interrupted('The demo was stopped before it was over: nothing is left running.')
    for (const line of await outcomeLines(place.stateDir)) console.log(line)
    await report(cloud.url, place)
  } finally {
    await cloud.stop()
  }
}

/** @throws {ImgpipeError} `usage` where there are no pictures */
async function startCloud(photos: string, signal: AbortSignal) {
  const { startLocalCloud, fillCloud, uploadPictures, picturesIn } = await localParts()
  if ((await picturesIn(photos)).length === 0)
    throw new ImgpipeError('usage', `There is no JPEG or PNG file in ${photos}: name a folder with pictures.`)
  console.log('Starting the local cloud: S3, SQS and Rekognition with real recognition models …')
  const { bucket, queue, region } = names
  return startLocalCloud({
    port: 0,
    prepare: async (url) => {
      await fillCloud(url, { region, buckets: [bucket], queue })
      const uploaded = await uploadPictures(url, { region, bucket, folder: photos, signal })
      console.log(`${counted(uploaded.pictures, 'picture')} from ${shortPath(photos)} in the bucket.`)
      for (const line of leftOutLines(uploaded)) console.log(line)
    },
  })
}

/** Loading the models cannot be stopped, but nothing has to wait for its end. */
function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Interrupted('The demo was stopped before it began.')))
  })
  return Promise.race([work, stopped])
}

async function work(url: string, place: DemoPlace, signal: AbortSignal): Promise<void> {
  console.log('Both workers start now.\n')
  const screen = new DemoScreen(process.stdout, readSurroundings())
  const draw = async () => {
    const [run] = await readStatus(place.stateDir, 1).catch(() => [])
    if (run) screen.draw(run)
  }
  const timer = setInterval(() => void draw(), redrawMilliseconds)
  signal.addEventListener('abort', () => {
    clearInterval(timer)
    console.log('Stopping both workers …')
  })
  try {
    await runWorkers(url, place, signal)
  } finally {
    clearInterval(timer)
    if (!signal.aborted) await draw()
    console.log('')
  }
}

async function report(endpoint: string, { settingsFile, report, logs }: DemoPlace): Promise<void> {
  const settings = loadSettings({ configFile: settingsFile, environment: {} })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const clients = createClients(settings, { endpoint, credentials })
  try {
    const { index } = await runReport({ out: report }, { settings, s3: clients.s3, print: () => undefined })
    console.log(`\nThe report, with the boxes drawn:  ${pathToFileURL(index)}`)
    console.log(`What each worker said:             ${shortPath(logs.detector)}, ${shortPath(logs.reader)}`)
  } finally {
    clients.close()
  }
}
