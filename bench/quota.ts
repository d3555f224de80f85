import { parseArgs } from 'node:util'
import { type Cloud, startCloud } from './support/cloud.ts'
import { perfectSeconds } from './support/perfect.ts'
import { cli, runProgram, withStateDir } from './support/program.ts'
import { publish } from './support/table.ts'

/**
 * How near to the quota's bound, (images − burst) / quota, and how many calls are throttled on the way.
 * The worker knows nothing of the quota. Time runs from the first call to the last answer at the service.
 */
const { values } = parseArgs({
  options: {
    quotas: { type: 'string', default: '5,50,300' },
    seconds: { type: 'string', default: '20' },
    ways: { type: 'string', default: 'imgpipe,adaptive,one-by-one' },
    burst: { type: 'string', default: '1' },
    latency: { type: 'string', default: '150/800' },
    changes: { type: 'boolean', default: true },
    /** Only the cases whose name has this in it. */
    only: { type: 'string', default: '' },
  },
  allowNegative: true,
})
const [medianMs = 150, p99Ms = 800] = values.latency.split('/').map(Number)
const burstSeconds = Number(values.burst)
const seconds = Number(values.seconds)
const sdkLoops = new URL('./support/sdk-loops.ts', import.meta.url).pathname

interface Case {
  name: string
  quota: number
  images: number
  /** Changes of the quota: from so many seconds after the first call on. */
  changes?: { afterSeconds: number; quota: number }[]
  processes?: number
  maxRequestsPerSecond?: number
}

const rows: Record<string, string | number>[] = []
for (const way of values.ways.split(',')) {
  for (const each of cases()) {
    if (!isFit(way, each) || !each.name.includes(values.only)) continue
    const row = await measure(way, each)
    console.log(JSON.stringify(row))
    rows.push(row)
  }
}
await publish({ name: 'quota', title: 'Share of the bound that the quota sets', rows })

/** The SDK's loops know no set rate; and what goes one by one is far from every quota, and slow to show it. */
function isFit(way: string, { quota, name, maxRequestsPerSecond }: Case): boolean {
  if (way === 'imgpipe') return true
  return (
    maxRequestsPerSecond === undefined &&
    (way !== 'one-by-one' || (quota <= 50 && name.endsWith(`${quota}/s`)))
  )
}

function cases(): Case[] {
  const quotas = values.quotas.split(',').map(Number)
  const constant = quotas.map((quota) => ({ name: `${quota}/s`, quota, images: quota * seconds }))
  if (!values.changes) return constant
  const half = { afterSeconds: seconds, quota: 25 }
  const twice = { afterSeconds: seconds, quota: 100 }
  return [
    ...constant,
    { name: '50/s, then 25/s', quota: 50, images: 75 * seconds, changes: [half] },
    { name: '50/s, then 100/s', quota: 50, images: 150 * seconds, changes: [twice] },
    { name: '50/s for two processes', quota: 50, images: 50 * seconds, processes: 2 },
    { name: '50/s, said beforehand', quota: 50, images: 50 * seconds, maxRequestsPerSecond: 50 },
  ]
}

async function measure(way: string, each: Case) {
  const { quota, processes = 1 } = each
  const images = Math.round(each.images / processes)
  const cloud = await startCloud({ images, quota, burstSeconds, medianMs, p99Ms, carShare: 0.3 })
  const timers: NodeJS.Timeout[] = []
  try {
    const atFirstCall = whenCallsBegin(cloud).then(() => {
      for (const change of each.changes ?? []) {
        timers.push(setTimeout(() => cloud.changeQuota(change.quota), change.afterSeconds * 1000))
      }
    })
    await Promise.all(Array.from({ length: processes }, () => run(way, each, cloud)))
    await atFirstCall
    const { DetectLabels: counts } = (await cloud.report()).rekognition
    const took = (counts.lastAnswerAt - counts.firstCallAt) / 1000
    return {
      way,
      quota: each.name,
      images: images * processes,
      'time s': took.toFixed(1),
      'share of the bound': (boundSeconds(each) / took).toFixed(3),
      'a perfect caller': (boundSeconds(each) / perfect(each)).toFixed(3),
      'throttled %': ((100 * counts.throttled) / counts.calls).toFixed(1),
      lost: images * processes - (counts.calls - counts.throttled),
      'max in flight': counts.maxInFlight,
    }
  } finally {
    timers.forEach(clearTimeout)
    await cloud.stop()
  }
}

async function whenCallsBegin(cloud: Cloud): Promise<void> {
  while ((await cloud.report()).rekognition.DetectLabels.calls === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function run(way: string, each: Case, cloud: Cloud): Promise<void> {
  if (way !== 'imgpipe') {
    const inFlight = way === 'one-by-one' ? 1 : Math.ceil(Math.max(16, each.quota * 1.3))
    await runProgram([sdkLoops, way, cloud.queueUrl, String(inFlight)], cloud.environment)
    return
  }
  const known = { IMGPIPE_MAX_RPS: String(each.maxRequestsPerSecond ?? 0) }
  await withStateDir((IMGPIPE_STATE_DIR) =>
    runProgram([cli, 'detect'], { ...cloud.environment, ...known, IMGPIPE_STATE_DIR }),
  )
}

/** What the latency of the last answers costs even with the quota known. */
function perfect(each: Case): number {
  return perfectSeconds(each.images, (k) => boundSeconds({ ...each, images: k }), { medianMs, p99Ms })
}

/** The least time in which the service can admit so many calls, from a full bucket on. */
function boundSeconds({ quota, images, changes = [], maxRequestsPerSecond }: Case): number {
  if (maxRequestsPerSecond) return (images - 1) / maxRequestsPerSecond
  let left = Math.max(0, images - Math.max(1, quota * burstSeconds))
  let at = 0
  let perSecond = quota
  for (const change of changes) {
    const inThisPart = (change.afterSeconds - at) * perSecond
    if (left <= inThisPart) break
    left -= inThisPart
    at = change.afterSeconds
    perSecond = change.quota
  }
  return at + left / perSecond
}
