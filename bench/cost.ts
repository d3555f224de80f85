import { parseArgs } from 'node:util'
import { type Cloud, startCloud } from './support/cloud.ts'
import { cli, runProgram, type Usage, withStateDir } from './support/program.ts'
import { publish } from './support/table.ts'

/**
 * CPU and requests per image, beside a bare loop of the same SDK calls at the same rate: a busier process finds
 * more to do each time that it wakes up, and needs less for each. The difference between two runs of different
 * lengths leaves out what starting costs.
 */
const { values } = parseArgs({
  options: {
    few: { type: 'string', default: '500' },
    many: { type: 'string', default: '3000' },
    /** Calls per second; 0 = as fast as it goes. */
    rate: { type: 'string', default: '200' },
    /** Of so many measurements the median counts: other work on the machine costs a process CPU time too. */
    repeats: { type: 'string', default: '3' },
  },
})
const few = Number(values.few)
const many = Number(values.many)
const inFlight = '60'
const sdkLoops = new URL('./support/sdk-loops.ts', import.meta.url).pathname

/** Of one image, or of a whole program. */
interface PerImage {
  cpuMs: number
  sqs: number
}

type Program = (cloud: Cloud) => Promise<Usage>
const detector: Program = (cloud) => imgpipe(cloud, ['detect'])
const reader: Program = (cloud) => imgpipe(cloud, ['read', '--once'])
const bare =
  (way: string): Program =>
  (cloud) =>
    runProgram([sdkLoops, way, cloud.queueUrl, inFlight, values.rate], cloud.environment)

// Each image has a car, so that reader and detector have the same number.
const rows = [
  await compare('detector: list, DetectLabels, send', [detector], [bare('labels')]),
  await compare(
    'reader: receive, GetObject, DetectText, delete',
    [detector, reader],
    [bare('labels'), bare('texts')],
  ),
]
const rate = values.rate === '0' ? 'as fast as it goes' : `at ${values.rate} images a second`
await publish({ name: 'cost', title: `CPU and requests per image, ${rate}`, rows })

/** Of both lists the last program is measured; those before it prepare. */
async function compare(what: string, ours: Program[], bareLoop: Program[]) {
  const measured: { own: PerImage; loop: PerImage }[] = []
  for (let i = 0; i < Number(values.repeats); i++)
    measured.push({ own: await perImage(ours), loop: await perImage(bareLoop) })
  const own = medianOf(measured.map((each) => each.own))
  const loop = medianOf(measured.map((each) => each.loop))
  return {
    what,
    'CPU ms': own.cpuMs.toFixed(2),
    'CPU ms of a bare loop': loop.cpuMs.toFixed(2),
    ratio: (own.cpuMs / loop.cpuMs).toFixed(2),
    'SQS requests': own.sqs.toFixed(2),
    'SQS requests of a bare loop': loop.sqs.toFixed(2),
  }
}

function medianOf(measured: PerImage[]): PerImage {
  const median = (key: keyof PerImage) =>
    measured.map((each) => each[key]).toSorted((a, b) => a - b)[measured.length >> 1] ?? 0
  return { cpuMs: median('cpuMs'), sqs: median('sqs') }
}

async function perImage(programs: Program[]): Promise<PerImage> {
  const short = await measure(programs, few)
  const long = await measure(programs, many)
  const images = many - few
  return { cpuMs: (long.cpuMs - short.cpuMs) / images, sqs: (long.sqs - short.sqs) / images }
}

async function measure(programs: Program[], images: number): Promise<PerImage> {
  const cloud = await startCloud({
    images,
    quota: 0,
    burstSeconds: 1,
    medianMs: 100,
    p99Ms: 200,
    carShare: 1,
  })
  try {
    let cpuMs = 0
    let before = 0
    let sqs = 0
    for (const program of programs) {
      before = sqs
      cpuMs = (await program(cloud)).cpuMs
      sqs = sum(Object.values((await cloud.report()).sqsRequests))
    }
    return { cpuMs, sqs: sqs - before }
  } finally {
    await cloud.stop()
  }
}

function imgpipe(cloud: Cloud, words: string[]): Promise<Usage> {
  return withStateDir((IMGPIPE_STATE_DIR) =>
    runProgram([cli, ...words], { ...cloud.environment, IMGPIPE_STATE_DIR, IMGPIPE_MAX_RPS: values.rate }),
  )
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
