import { parseArgs } from 'node:util'
import { startCloud } from './support/cloud.ts'
import { cli, runProgram, type Usage, withStateDir } from './support/program.ts'
import { publish } from './support/table.ts'

/** The max memory that either worker has ever held, by the number of images: a flat line is wanted. */
const { values } = parseArgs({ options: { images: { type: 'string', default: '1000,10000,100000' } } })

// The first start of all fills the compile cache, which takes memory of its own.
await measure(10)
const rows: Record<string, string | number>[] = []
for (const images of values.images.split(',').map(Number)) rows.push(await measure(images))
await publish({ name: 'memory', title: 'Max resident memory (MB) by images', rows })

async function measure(images: number) {
  const cloud = await startCloud({
    images,
    quota: 0,
    burstSeconds: 1,
    medianMs: 100,
    p99Ms: 300,
    carShare: 1,
  })
  try {
    return await withStateDir(async (IMGPIPE_STATE_DIR) => {
      const environment = { ...cloud.environment, IMGPIPE_STATE_DIR }
      const detector = await runProgram([cli, 'detect'], environment)
      const reader = await runProgram([cli, 'read', '--once'], environment)
      const perSecond = ({ startedAt, endedAt }: Usage) => (1000 * images) / (endedAt - startedAt)
      const row = {
        images,
        'detector MB': detector.peakMb.toFixed(0),
        'reader MB': reader.peakMb.toFixed(0),
        'detector, images/s': perSecond(detector).toFixed(0),
        'reader, images/s': perSecond(reader).toFixed(0),
      }
      console.log(JSON.stringify(row))
      return row
    })
  } finally {
    await cloud.stop()
  }
}
