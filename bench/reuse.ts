import { stat } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { AnswerStore, type Operation } from '../src/state/answers.ts'
import { StateDatabase } from '../src/state/database.ts'
import { databasePath, type Role } from '../src/state/role.ts'
import { detectorSchema, readerSchema, schemaVersion } from '../src/state/schema.ts'
import { type Cloud, startCloud } from './support/cloud.ts'
import { cli, runProgram, type Usage, withStateDir } from './support/program.ts'
import { etagOf, keyOf } from './support/simulated-bucket.ts'
import { chance } from './support/simulated-rekognition.ts'
import { publish } from './support/table.ts'

/**
 * What a run costs that pays only for what is new: a first run, one over an unchanged bucket, and one with a hundredth
 * of the images replaced; and what it costs a first run that another bucket's answers are in its database.
 * There is no quota, so the workers themselves are the limit.
 *
 * A million images: `node bench/reuse.ts --images 1000000 --cars 0.01 --no-lookups` (an hour), and with `--known` as
 * after a change of the label: the answers are there, and the first run asks nothing (minutes).
 */
const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '10000,100000' },
    /** Share of the images with a car. */
    cars: { type: 'string', default: '0.3' },
    /** The answers of an earlier run, for another label, are in the detector's database. */
    known: { type: 'boolean', default: false },
    /** Also measure what lookups cost a first run: over so many images beside so many answers of another bucket. */
    lookups: { type: 'boolean', default: true },
    'lookup-images': { type: 'string', default: '5000' },
    'lookup-answers': { type: 'string', default: '10000,100000,1000000' },
  },
  allowNegative: true,
})
/** One image in so many is replaced before the last run. */
const replacedEvery = 100
const labelsBesideTheFirst = 12
const rowsPerCommit = 1000

type Row = Record<string, string | number>

const runRows: Row[] = []
for (const images of values.images.split(',').map(Number)) runRows.push(...(await measureRuns(images)))
await publish({ name: 'reuse', title: 'Runs that pay only for what is new', rows: runRows })
if (values.lookups) {
  const answers = [0, ...values['lookup-answers'].split(',').map(Number)]
  const title = `First run over ${values['lookup-images']} images beside the answers of another bucket`
  await publish({ name: 'lookups', title, rows: await measureLookups(answers) })
}

async function measureRuns(images: number): Promise<Row[]> {
  const cloud = await start(images, Number(values.cars))
  try {
    return await withStateDir(async (stateDir) => {
      if (values.known) await storeAnswers(stateDir, 'detector', { bucket: 'images', count: images })
      const worker = (run: string, role: Role) => measure(cloud, { images, run, role, stateDir })
      const first = values.known ? 'another label' : 'first'
      const rows = [await worker(first, 'detector'), await worker(first, 'reader')]
      rows.push(await worker('unchanged', 'detector'))
      cloud.replaceEvery(replacedEvery)
      rows.push(await worker('1 % replaced', 'detector'), await worker('1 % replaced', 'reader'))
      return rows
    })
  } finally {
    await cloud.stop()
  }
}

async function measure(
  cloud: Cloud,
  { images, run, role, stateDir }: { images: number; run: string; role: Role; stateDir: string },
): Promise<Row> {
  const before = await requests(cloud)
  const { startedAt, endedAt, cpuMs, peakMb } = await runWorker(cloud, role, stateDir)
  const after = await requests(cloud)
  const sent = (operation: string) => (after[operation] ?? 0) - (before[operation] ?? 0)
  const row = {
    images,
    run,
    worker: role,
    'time s': ((endedAt - startedAt) / 1000).toFixed(1),
    'CPU s': (cpuMs / 1000).toFixed(1),
    'max resident MB': peakMb.toFixed(0),
    'database MB': (await databaseMb(stateDir, role)).toFixed(1),
    DetectLabels: sent('DetectLabels'),
    DetectText: sent('DetectText'),
    ListObjectsV2: sent('ListObjectsV2'),
    GetObject: sent('GetObject'),
    SQS: sent('SQS'),
  }
  console.log(JSON.stringify(row))
  return row
}

/** By operation; those of SQS together. */
async function requests(cloud: Cloud): Promise<Record<string, number>> {
  const { rekognition, s3Requests, sqsRequests } = await cloud.report()
  const { DetectLabels, DetectText } = rekognition
  const SQS = Object.values(sqsRequests).reduce((sum, count) => sum + count, 0)
  return { ...s3Requests, SQS, DetectLabels: DetectLabels.calls, DetectText: DetectText.calls }
}

/** With the write-ahead log, of which nothing is left when the worker has closed the database. */
async function databaseMb(stateDir: string, role: Role): Promise<number> {
  const path = databasePath(stateDir, role)
  const sizes = [path, `${path}-wal`].map((each) =>
    stat(each).then(
      ({ size }) => size,
      () => 0,
    ),
  )
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0) / 1e6
}

/** The same run beside ever more answers; each image has a car, so that the reader looks up as much as the detector. */
async function measureLookups(answerCounts: number[]): Promise<Row[]> {
  const images = Number(values['lookup-images'])
  const rows: Row[] = []
  let empty: { detector: Usage; reader: Usage } | undefined
  for (const answers of answerCounts) {
    const usage = await firstRunBeside(answers, images)
    empty ??= usage
    const row = {
      'answers of another bucket': answers,
      'detector CPU ms per image': (usage.detector.cpuMs / images).toFixed(2),
      'detector ratio': (usage.detector.cpuMs / empty.detector.cpuMs).toFixed(2),
      'reader CPU ms per image': (usage.reader.cpuMs / images).toFixed(2),
      'reader ratio': (usage.reader.cpuMs / empty.reader.cpuMs).toFixed(2),
    }
    console.log(JSON.stringify(row))
    rows.push(row)
  }
  return rows
}

async function firstRunBeside(answers: number, images: number): Promise<{ detector: Usage; reader: Usage }> {
  const cloud = await start(images, 1)
  try {
    return await withStateDir(async (stateDir) => {
      const others = { bucket: 'another-bucket', count: answers }
      await storeAnswers(stateDir, 'detector', others)
      await storeAnswers(stateDir, 'reader', others)
      const detector = await runWorker(cloud, 'detector', stateDir)
      return { detector, reader: await runWorker(cloud, 'reader', stateDir) }
    })
  } finally {
    await cloud.stop()
  }
}

/** Puts the answers of an earlier run into a worker's database, about keys as the simulated bucket has them. */
async function storeAnswers(
  stateDir: string,
  role: Role,
  { bucket, count }: { bucket: string; count: number },
): Promise<void> {
  const [schema, operation]: [string, Operation] =
    role === 'detector' ? [detectorSchema, 'DetectLabels'] : [readerSchema, 'DetectText']
  const path = databasePath(stateDir, role)
  const waitForSpace = async () => 'stop' as const
  const database = await StateDatabase.open({ path, schema, version: schemaVersion, waitForSpace })
  const store = new AnswerStore<unknown>(database, bucket, operation)
  const asked = { by: '20261122T174500Z-3f9a', seq: 0, at: Date.now(), minConfidence: 0 }
  for (let first = 1; first <= count; first += rowsPerCommit) {
    await database.commit(() => {
      for (let n = first; n < first + rowsPerCommit && n <= count; n++)
        store.put({ key: keyOf(n), etag: etagOf(n) }, storedAnswer(keyOf(n)), asked)
    })
  }
  await database.close()
}

function storedAnswer(key: string) {
  const name = chance(key) < Number(values.cars) ? 'Car' : 'Tree'
  const others = Array.from({ length: labelsBesideTheFirst }, (_, i) => ['Label', 90.12345678 - i, []])
  return { kind: 'answer', model: '3.0', content: [[name, 98.5, [[0.1, 0.2, 0.5, 0.4]]], ...others] } as const
}

function start(images: number, carShare: number): Promise<Cloud> {
  const load = { quota: 0, burstSeconds: 1, medianMs: 100, p99Ms: 200, moreLabels: labelsBesideTheFirst }
  return startCloud({ images, carShare, ...load })
}

function runWorker(cloud: Cloud, role: Role, stateDir: string): Promise<Usage> {
  const words = role === 'detector' ? ['detect'] : ['read', '--once']
  return runProgram([cli, ...words], { ...cloud.environment, IMGPIPE_STATE_DIR: stateDir })
}
