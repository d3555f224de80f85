import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Outcome } from '../src/protocol/outcomes.ts'
import { readOutcomes } from '../src/results/read.ts'
import { startCloud } from './support/cloud.ts'
import { cli, runProgram, withStateDir } from './support/program.ts'
import { publish } from './support/table.ts'

/**
 * What the pipeline adds to Amazon's own times: from DetectLabels' answer (as the service gives it) to the
 * message in the queue (SQS's SentTimestamp), and from there to the outcome, DetectText included.
 * Both workers run at once, below the quota.
 */
const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '1500' },
    rate: { type: 'string', default: '50' },
    latency: { type: 'string', default: '100/100' },
  },
})
const [medianMs = 100, p99Ms = 100] = values.latency.split('/').map(Number)
const images = Number(values.images)

const cloud = await startCloud({ images, quota: 0, burstSeconds: 1, medianMs, p99Ms, carShare: 0.3 })
try {
  const environment = { ...cloud.environment, IMGPIPE_MAX_RPS: values.rate }
  const outcomes = await withStateDir((IMGPIPE_STATE_DIR) =>
    withStateDir(async (detectorDir) => {
      const reader = runProgram([cli, 'read', '--once'], { ...environment, IMGPIPE_STATE_DIR })
      const detector = runProgram([cli, 'detect'], { ...environment, IMGPIPE_STATE_DIR: detectorDir })
      await Promise.all([reader, detector])
      return publishedOutcomes(IMGPIPE_STATE_DIR)
    }),
  )
  const answeredAt = await cloud.responseTimes()
  const toQueue = outcomes.map(({ key, sentAt = 0 }) => sentAt - (answeredAt[key] ?? 0))
  const toOutcome = outcomes.map(({ sentAt = 0, at }) => at - sentAt)
  await publish({
    name: 'latency',
    title: `From answer to queue to outcome, ${values.rate} images per second, the service's own answer takes ${medianMs} ms`,
    rows: [
      { way: "DetectLabels' answer → message in the queue, ms", ...percentiles(toQueue) },
      {
        way: `message in the queue → outcome (DetectText's ${medianMs} ms included), ms`,
        ...percentiles(toOutcome),
      },
    ],
  })
} finally {
  await cloud.stop()
}

/** The outcomes of the only run in a reader's state directory. */
async function publishedOutcomes(stateDir: string): Promise<Outcome[]> {
  const [run = ''] = await readdir(join(stateDir, 'runs'))
  const outcomes: Outcome[] = []
  for await (const outcome of readOutcomes(join(stateDir, 'runs', run, 'results.json')))
    outcomes.push(outcome)
  return outcomes
}

function percentiles(values: number[]) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return { messages: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 }
}
