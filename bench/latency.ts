import { parseArgs } from 'node:util'
import { startCloud } from './support/cloud.ts'
import { readOutcomes } from './support/ledger.ts'
import { cli, runProgram, withStateDir } from './support/program.ts'
import { publish } from './support/table.ts'

/**
 * What the pipeline adds to Amazon's own times: from DetectLabels' answer (as the service gives it) to the
 * message in the queue (SQS's SentTimestamp), and from there to the outcome in the ledger, without DetectText.
 * Both workers run at once, below the quota.
 */
const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: '1500' },
    rate: { type: 'string', default: '50' },
    latency: { type: 'string', default: '100/100' },
  },
})
const [medianMs = 100, p99Ms = 100] = values.latency.split('/').map(Number)
const pictures = Number(values.pictures)

const cloud = await startCloud({ pictures, quota: 0, burstSeconds: 1, medianMs, p99Ms, carShare: 0.3 })
try {
  const environment = { ...cloud.environment, IMGPIPE_MAX_RPS: values.rate }
  const outcomes = await withStateDir((IMGPIPE_STATE_DIR) =>
    withStateDir(async (detectorDir) => {
      const reader = runProgram([cli, 'read', '--once'], { ...environment, IMGPIPE_STATE_DIR })
      const detector = runProgram([cli, 'detect'], { ...environment, IMGPIPE_STATE_DIR: detectorDir })
      await Promise.all([reader, detector])
      return readOutcomes(IMGPIPE_STATE_DIR)
    }),
  )
  const { answeredAt } = await cloud.report()
  const toQueue = outcomes.map(({ key, sentAt }) => sentAt - (answeredAt[key] ?? 0))
  const toLedger = outcomes.map(({ sentAt, at }) => at - sentAt)
  await publish({
    name: 'latency',
    title: `From answer to queue to ledger, ${values.rate} pictures a second, the service's own answer takes ${medianMs} ms`,
    rows: [
      { way: "DetectLabels' answer → message in the queue, ms", ...percentiles(toQueue) },
      {
        way: `message in the queue → outcome in the ledger (with DetectText's ${medianMs} ms), ms`,
        ...percentiles(toLedger),
      },
    ],
  })
} finally {
  await cloud.stop()
}

function percentiles(values: number[]) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0
  return { messages: sorted.length, p50: at(0.5), p99: at(0.99), most: sorted.at(-1) ?? 0 }
}
