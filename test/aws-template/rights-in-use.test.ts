import { CreateBucketCommand } from '@aws-sdk/client-s3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { expectedResults, numbered, putImages } from '../pipeline/images.ts'
import type { AwsRequest } from '../support/aws-request.ts'
import { bucket, TestCloud } from '../support/test-cloud.ts'
import { killLeftWorkers, WorkerProcess } from '../support/worker-process.ts'
import { allows, statementsOf } from './iam.ts'
import { stackOf } from './stack.ts'

/** The rights of the template, held against what the program really asks of the services. */
const resultsBucket = 'outcomes'
const queueArn = 'arn:aws:sqs:us-east-1:111122223333:imgpipe-Queue'
const images = numbered(12)
let cloud: TestCloud
let asked: Map<string, Set<string>>

beforeEach(async () => {
  cloud = await TestCloud.start()
  await cloud.s3.send(new CreateBucketCommand({ Bucket: resultsBucket }))
  await putImages(cloud, images)
  asked = new Map([
    ['DetectorRole', new Set()],
    ['ReaderRole', new Set()],
  ])
  cloud.proxy.onSeen((request) => asked.get(request.accessKey ?? '')?.add(neededRight(request)))
})

afterEach(async () => {
  await cloud.stop()
  expect(await killLeftWorkers(), 'worker processes left running').toBe(0)
})

/** The right that IAM wants for a request, and the ARN of what it is about, as `action resource`. */
function neededRight({ service, operation, path }: AwsRequest): string {
  if (service === 'rekognition') return `rekognition:${operation} *`
  if (service === 'sqs') return `sqs:${operation.replace(/Batch$/, '')} ${queueArn}`
  const name = decodeURIComponent(path).replace(/^\/|\/$/g, '')
  const action = name.includes('/') ? operation.replace('Head', 'Get') : 'ListBucket'
  return `s3:${action} arn:aws:s3:::${name}`
}

async function run(more: Record<string, string>): Promise<void> {
  const reader = cloud.reader({ AWS_ACCESS_KEY_ID: 'ReaderRole', ...more }, undefined, ['--once'])
  const detector = cloud.detector({ AWS_ACCESS_KEY_ID: 'DetectorRole' })
  expect(await detector.exited).toEqual({ code: 0, signal: null })
  expect(await reader.exited).toEqual({ code: 0, signal: null })
  expect(await cloud.results()).toBe(expectedResults(images))
}

/** Has `imgpipe doctor` look at everything; what it finds is not the matter here. */
async function examine(role: string, worker: string): Promise<void> {
  const environment = { ...cloud.environment(cloud.directory), AWS_ACCESS_KEY_ID: role }
  await WorkerProcess.start({ arguments: ['doctor', '--role', worker], environment }).exited
}

/** What was asked without a right to it, and the rights, but for `byOthers`, that nothing was asked with. */
function compare(role: string, parameters: Record<string, string>, byOthers: string[]) {
  const worker = role === 'DetectorRole' ? 'detector' : 'reader'
  const statements = statementsOf(stackOf({ Bucket: bucket, ...parameters }), role, worker)
  const requests = [...(asked.get(role) ?? [])].map((request) => request.split(/ (.*)/))
  expect(requests).not.toEqual([])
  const refused = requests.filter(([action = '', resource = '']) => !allows(statements, action, resource))
  const used = new Set([...requests.map(([action]) => action), ...byOthers])
  const unused = statements.flatMap(({ actions }) => actions).filter((action) => !used.has(action))
  return { refused, unused }
}

test('one reader: no request lacks its right, no right lacks its request', async () => {
  await run({})
  await examine('DetectorRole', 'detector')
  await examine('ReaderRole', 'reader')
  // A's own right to get images is what Rekognition gets them with; doctor tries it.
  expect(compare('DetectorRole', {}, [])).toEqual({ refused: [], unused: [] })
  // For messages that a reader holds for long, or gives back when it is stopped.
  const besideB = ['sqs:ChangeMessageVisibility']
  expect(compare('ReaderRole', {}, besideB)).toEqual({ refused: [], unused: [] })
})

test('several readers: what they agree on lies where their rights end', async () => {
  await run({ IMGPIPE_RESULTS_BUCKET: resultsBucket })
  const besideB = ['sqs:ChangeMessageVisibility']
  const sharing = { ResultsBucket: resultsBucket }
  expect(compare('ReaderRole', sharing, besideB)).toEqual({ refused: [], unused: [] })
})
