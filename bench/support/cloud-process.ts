import { createServer } from 'node:http'
import { openStorage } from '../../src/local/storage.ts'
import { SimulatedBucket } from './simulated-bucket.ts'
import { type RekognitionLoad, SimulatedRekognition } from './simulated-rekognition.ts'

/** Commands that the process accepts over its IPC channel. */
export type CloudCommand =
  | { quota: number }
  | { replaceEvery: number }
  | { report: true }
  | { responseTimes: true }

export interface CloudSetup extends RekognitionLoad {
  images: number
}

/**
 * Runs the cloud in a separate process, so that its CPU time is not attributed to the worker: the simulated bucket and
 * Rekognition, and fauxqs's SQS, on one port. The first argument is its setup as JSON.
 */
const setup = JSON.parse(process.argv[2] ?? '{}') as CloudSetup
const rekognition = new SimulatedRekognition(setup)
const bucket = new SimulatedBucket(setup.images)
const sqsRequests: Record<string, number> = {}

const server = createServer((request, response) => {
  if (rekognition.handle(request, response)) return
  const target = String(request.headers['x-amz-target'] ?? '')
  if (!target.startsWith('AmazonSQS.')) return bucket.handle(request, response)
  const operation = target.slice('AmazonSQS.'.length)
  sqsRequests[operation] = (sqsRequests[operation] ?? 0) + 1
  request.url = '/'
  storage.app.routing(request, response)
})
server.keepAliveTimeout = 75_000
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const address = server.address()
const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
const storage = await openStorage({ url, dataDir: undefined })

process.on('message', (command: CloudCommand) => {
  if ('quota' in command) rekognition.changeQuota(command.quota)
  else if ('replaceEvery' in command) bucket.replaceEvery(command.replaceEvery)
  else if ('responseTimes' in command) process.send?.({ answeredAt: rekognition.answeredAt })
  else
    process.send?.({
      report: { rekognition: rekognition.counts, sqsRequests, s3Requests: bucket.requests },
    })
})
process.on('disconnect', () => process.exit(0))
process.send?.({ url })
