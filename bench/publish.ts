import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { tuneHeapForLowMemory } from '../src/host/heap.ts'
import type { Outcome } from '../src/protocol/outcomes.ts'
import { publishRun } from '../src/results/publish.ts'
import { StateDatabase } from '../src/state/database.ts'
import { ReaderRuns } from '../src/state/reader-runs.ts'
import { databasePath } from '../src/state/role.ts'
import { readerSchema, schemaVersion } from '../src/state/schema.ts'
import { publish } from './support/table.ts'

/** What publishing a finished run takes, by the number of cars: memory should stay flat. */
const { values } = parseArgs({ options: { cars: { type: 'string', default: '10000,100000,400000' } } })
tuneHeapForLowMemory()

const run = '20261122T174500Z-3f9a'
/** Outcomes of one transaction: as a reader would commit them in a second. */
const rowsPerCommit = 1000

const rows: Record<string, string | number>[] = []
for (const cars of values.cars.split(',').map(Number)) rows.push(await measure(cars))
await publish({ name: 'publish', title: 'Publishing a finished run', rows })

async function measure(cars: number) {
  const stateDir = await mkdtemp(join(tmpdir(), 'imgpipe-bench-publish-'))
  const database = await StateDatabase.open({
    path: databasePath(stateDir, 'reader'),
    schema: readerSchema,
    version: schemaVersion,
    waitForSpace: async () => 'stop',
  })
  try {
    const runs = new ReaderRuns(database)
    const { seq } = await runs.begin(run)
    await record(database, runs, seq, cars)
    return await measurePublishing(stateDir, runs.outcomes(seq, cars), cars)
  } finally {
    await database.close()
    await rm(stateDir, { recursive: true })
  }
}

async function measurePublishing(stateDir: string, outcomes: Iterable<Outcome>, cars: number) {
  const memory = { peakBytes: 0 }
  const before = process.cpuUsage()
  const startedAt = performance.now()
  await publishRun(stateDir, headOf(cars), observed(outcomes, memory))
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(before)
  return {
    cars,
    'time s': seconds.toFixed(1),
    'CPU s': ((user + system) / 1e6).toFixed(1),
    'max resident MB': (memory.peakBytes / 1e6).toFixed(0),
  }
}

async function record(database: StateDatabase, runs: ReaderRuns, seq: number, cars: number): Promise<void> {
  for (let first = 1; first <= cars; first += rowsPerCommit) {
    await database.commit(() => {
      for (let n = first; n < first + rowsPerCommit && n <= cars; n++)
        runs.addOutcome(seq, outcome(n, cars), 'asked')
    })
  }
}

function* observed(outcomes: Iterable<Outcome>, memory: { peakBytes: number }): Generator<Outcome> {
  let count = 0
  for (const each of outcomes) {
    if (++count % 1000 === 0) memory.peakBytes = Math.max(memory.peakBytes, process.memoryUsage.rss())
    yield each
  }
}

/** Keys in an order that has nothing to do with the numbers, as recognition gives them. */
function outcome(n: number, cars: number): Outcome {
  const polygon = [
    [0.1, 0.1],
    [0.3, 0.1],
    [0.3, 0.2],
    [0.1, 0.2],
  ] as const
  const lines = [{ text: 'YHI9 OTZ', confidence: 99.1, polygon }]
  const key = `images/of/some/length/${(n * 7919) % cars}.jpg`
  const boxes = [[0.1, 0.2, 0.3, 0.4]] as const
  return { n, key, etag: '"e"', confidence: 98.1, boxes, sentAt: 1, at: 2, outcome: 'text', lines }
}

function headOf(count: number) {
  return {
    run,
    bucket: 'images',
    label: 'Car',
    count,
    images: count,
    detectorFailed: 0,
    detectorFailures: [],
    texts: count,
    failures: 0,
    finishedAt: new Date().toISOString(),
    calls: { DetectText: count },
    reused: 0,
    requests: {},
  }
}
