import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Command } from 'commander'
import { createClients } from '../aws/clients.ts'
import { loadSettings } from '../config/settings.ts'
import { readSurroundings } from '../config/surroundings.ts'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { stopOnSignals } from '../daemon/stop-signal.ts'
import { DemoScreen } from '../status/demo-screen.ts'
import { readStatus } from '../status/read-status.ts'
import { localParts } from './local.ts'
import { runReport } from './report.ts'

const program = fileURLToPath(new URL('../cli.ts', import.meta.url))
const samples = fileURLToPath(new URL('../../samples', import.meta.url))
const names = { bucket: 'imgpipe-demo', queue: 'imgpipe-demo', region: 'us-east-1' }

/** Adds `imgpipe demo` to the program. */
export function addDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'the whole pipeline on this machine: local cloud, both workers, real recognition, then the result',
    )
    .argument('[folder]', 'your own JPEG and PNG pictures instead of the ten samples')
    .option('--out <folder>', 'where results, logs and the report go', '.imgpipe/demo')
    .action(async (folder: string | undefined, { out }: { out: string }) => {
      await runDemo(resolve(folder ?? samples), resolve(out))
    })
}

async function runDemo(photos: string, out: string): Promise<void> {
  const stop = stopOnSignals()
  const { startLocalCloud, fillCloud, uploadPictures } = await localParts()
  console.log('Starting the local cloud: S3, SQS and Rekognition with real recognition models …')
  const { bucket, queue, region } = names
  let uploaded = 0
  const cloud = await startLocalCloud({
    port: 0,
    prepare: async (url) => {
      await fillCloud(url, { region, buckets: [bucket], queue })
      uploaded = (await uploadPictures(url, { region, bucket, folder: photos, signal: stop.soft })).pictures
    },
  })
  try {
    if (uploaded === 0)
      throw new ImgpipeError(
        'usage',
        `There is no JPEG or PNG file in ${photos}: name a folder with pictures.`,
      )
    console.log(`${uploaded} pictures from ${photos} are in the bucket; both workers start now.\n`)
    const settings = prepareFolder(out)
    await work(cloud.url, out, settings, stop.soft)
    await showResults(cloud.url, settings, out)
  } finally {
    await cloud.stop()
  }
}

/** A folder of its own, empty: the demo is always a first run. */
function prepareFolder(out: string): string {
  rmSync(join(out, 'state'), { recursive: true, force: true })
  rmSync(join(out, 'report'), { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const settings = join(out, 'imgpipe.json')
  writeFileSync(settings, `${JSON.stringify({ ...names, stateDir: join(out, 'state') }, undefined, 2)}\n`)
  return settings
}

async function work(url: string, out: string, settings: string, stopped: AbortSignal): Promise<void> {
  const workers = [
    startWorker('reader', ['read', '--once'], { url, out, settings }),
    startWorker('detector', ['detect'], { url, out, settings }),
  ]
  const endAll = () => {
    for (const { process } of workers) process.kill()
  }
  stopped.addEventListener('abort', endAll)
  const screen = new DemoScreen(process.stdout, readSurroundings().mayColour)
  const timer = setInterval(() => void draw(screen, out), 250)
  try {
    await Promise.all(
      workers.map((worker) => succeeded(worker).catch((error) => Promise.reject(endAll() ?? error))),
    )
  } finally {
    clearInterval(timer)
    await draw(screen, out)
    screen.end()
  }
  if (stopped.aborted) throw new ImgpipeError('usage', 'The demo was stopped before it was over.')
}

async function draw(screen: DemoScreen, out: string): Promise<void> {
  const [run] = await readStatus(join(out, 'state'), 1).catch(() => [])
  if (run) screen.draw(run)
}

interface Worker {
  readonly role: string
  readonly log: string
  readonly process: ChildProcess
}

/** A real process, as systemd would start it, but for the local cloud's address. */
function startWorker(
  role: string,
  words: string[],
  at: { url: string; out: string; settings: string },
): Worker {
  const log = join(at.out, `${role}.log`)
  const file = openSync(log, 'w')
  const environment = {
    AWS_ENDPOINT_URL: at.url,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
  }
  const args = [program, ...words, '--config', at.settings]
  return {
    role,
    log,
    process: spawn(process.execPath, args, { env: environment, stdio: ['ignore', file, file] }),
  }
}

async function succeeded({ role, log, process }: Worker): Promise<void> {
  const [code, signal] = await once(process, 'exit')
  if (code === 0) return
  const said = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n')
  throw new ImgpipeError(
    'unavailable',
    `The ${role} ended with ${signal ?? `exit code ${code}`}; it said:\n${said}`,
  )
}

async function showResults(url: string, settingsFile: string, out: string): Promise<void> {
  const settings = loadSettings({ configFile: settingsFile, environment: {} })
  const results = join(settings.stateDir, 'results.txt')
  console.log(`\nPictures with a car and text (${results}):\n`)
  for (const line of readFileSync(results, 'utf8').trimEnd().split('\n')) console.log(`  ${line}`)
  const clients = createClients(settings, localEndpoint(url))
  try {
    const folder = join(out, 'report')
    const { index } = await runReport({ out: folder }, { settings, s3: clients.s3, print: () => undefined })
    console.log(`\nThe report, with the boxes drawn: ${pathToFileURL(resolve(index))}`)
    console.log(`What each worker said: ${join(out, 'detector.log')} and ${join(out, 'reader.log')}`)
  } finally {
    clients.close()
  }
}

function localEndpoint(endpoint: string) {
  return { endpoint, credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }
}
