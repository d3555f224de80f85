import { fork } from 'node:child_process'
import { once } from 'node:events'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import type { CloudSetup } from './cloud-process.ts'
import type { AnsweredAt, OperationCounts } from './simulated-rekognition.ts'

export interface CloudReport {
  rekognition: { DetectLabels: OperationCounts; DetectText: OperationCounts }
  sqsRequests: Record<string, number>
  s3Requests: Record<string, number>
}

export interface Cloud {
  /** What a worker needs to reach it. */
  readonly environment: Record<string, string>
  readonly queueUrl: string
  changeQuota(perSecond: number): void
  /** From now on every n-th image of the bucket is another one. */
  replaceEvery(n: number): void
  report(): Promise<CloudReport>
  responseTimes(): Promise<AnsweredAt>
  stop(): Promise<void>
}

const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench' }

/** Starts a simulated cloud as a process of its own, with an empty queue. */
export async function startCloud(setup: CloudSetup): Promise<Cloud> {
  const child = fork(new URL('./cloud-process.ts', import.meta.url), [JSON.stringify(setup)])
  const [{ url }] = (await once(child, 'message')) as [{ url: string }]
  const sqs = new SQSClient({ region: 'us-east-1', endpoint: url, credentials })
  const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: 'imgpipe' }))
  sqs.destroy()
  return {
    queueUrl: QueueUrl,
    environment: {
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_REGION: 'us-east-1',
      IMGPIPE_BUCKET: 'images',
      IMGPIPE_QUEUE: 'imgpipe',
    },
    changeQuota: (quota) => void child.send({ quota }),
    replaceEvery: (n) => void child.send({ replaceEvery: n }),
    async report() {
      child.send({ report: true })
      const [{ report }] = (await once(child, 'message')) as [{ report: CloudReport }]
      return report
    },
    async responseTimes() {
      child.send({ responseTimes: true })
      const [{ answeredAt }] = (await once(child, 'message')) as [{ answeredAt: AnsweredAt }]
      return answeredAt
    },
    async stop() {
      const exited = once(child, 'exit')
      child.disconnect()
      await exited
    },
  }
}
