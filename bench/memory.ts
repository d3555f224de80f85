import { parseArgs } from 'node:util'
import { startCloud } from './support/cloud.ts'
import { cli, runProgram, type Usage, withStateDir } from './support/program.ts'
import { publish } from './support/table.ts'

/** The most memory that either worker has ever held, by the number of pictures: a flat line is wanted. */
const { values } = parseArgs({ options: { pictures: { type: 'string', default: '1000,10000,100000' } } })

// The first start of all fills the compile cache, which takes memory of its own.
await measure(10)
const rows: Record<string, string | number>[] = []
for (const pictures of values.pictures.split(',').map(Number)) rows.push(await measure(pictures))
await publish({ name: 'memory', title: 'Most resident memory (MB) by pictures', rows })

async function measure(pictures: number) {
  const cloud = await startCloud({
    pictures,
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
      const perSecond = ({ startedAt, endedAt }: Usage) => (1000 * pictures) / (endedAt - startedAt)
      const row = {
        pictures,
        'detector MB': detector.peakMb.toFixed(0),
        'reader MB': reader.peakMb.toFixed(0),
        'detector, pictures/s': perSecond(detector).toFixed(0),
        'reader, pictures/s': perSecond(reader).toFixed(0),
      }
      console.log(JSON.stringify(row))
      return row
    })
  } finally {
    await cloud.stop()
  }
}
