import { startCloud } from './support/cloud.ts'
import { cli, runProgram, type Usage, withStateDir } from './support/program.ts'
import { publish } from './support/table.ts'

/** From the process's start to its first request to Rekognition: the median of some starts. */
const starts = 7
const sdkLoops = new URL('./support/sdk-loops.ts', import.meta.url).pathname

await publish({
  name: 'start',
  title: 'From process start to the first DetectLabels, ms',
  rows: [
    { program: 'imgpipe detect', median: await medianOf(imgpipe) },
    { program: 'a bare loop of the same SDK calls', median: await medianOf(bareLoop) },
  ],
})

type Program = (environment: Record<string, string>, queueUrl: string) => Promise<Usage>

async function medianOf(program: Program): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < starts; i += 1) times.push(await firstRequest(program))
  return times.toSorted((a, b) => a - b)[starts >> 1] ?? 0
}

async function firstRequest(program: Program): Promise<number> {
  const cloud = await startCloud({
    images: 3,
    quota: 0,
    burstSeconds: 1,
    medianMs: 10,
    p99Ms: 10,
    carShare: 1,
  })
  try {
    const { startedAt } = await program(cloud.environment, cloud.queueUrl)
    return (await cloud.report()).rekognition.DetectLabels.firstCallAt - startedAt
  } finally {
    await cloud.stop()
  }
}

function imgpipe(environment: Record<string, string>): Promise<Usage> {
  return withStateDir((IMGPIPE_STATE_DIR) =>
    runProgram([cli, 'detect'], { ...environment, IMGPIPE_STATE_DIR }),
  )
}

function bareLoop(environment: Record<string, string>, queueUrl: string): Promise<Usage> {
  return runProgram([sdkLoops, 'labels', queueUrl, '4'], environment)
}
