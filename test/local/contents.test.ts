import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deadLetterQueueName } from '../../src/aws/queue-attributes.ts'
import { fillCloud, uploadImages } from '../../src/local/contents.ts'
import { testCloud } from './cloud.ts'

const region = 'us-east-1'
const bucket = 'images'

async function directoryOf(files: string[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'imgpipe-photos-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  for (const file of files) {
    await mkdir(dirname(join(directory, file)), { recursive: true })
    await writeFile(join(directory, file), `bytes of ${file}`)
  }
  return directory
}

describe('fillCloud', () => {
  it.each([
    ['imgpipe', 'imgpipe-dlq'],
    ['imgpipe.fifo', 'imgpipe-dlq.fifo'],
  ])('makes the queue %s with the dead-letter queue %s', async (queue, deadLetters) => {
    const { url, sqs } = await testCloud()
    await fillCloud(url, { region, buckets: [bucket], queue })
    const attributes = async (QueueName: string) => {
      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName }))
      return (await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }))).Attributes
    }
    const { QueueArn } = (await attributes(deadLetters)) ?? {}
    const { RedrivePolicy, MessageRetentionPeriod } = (await attributes(queue)) ?? {}
    expect(deadLetterQueueName(queue)).toBe(deadLetters)
    expect(MessageRetentionPeriod).toBe(String(14 * 24 * 3600))
    expect(JSON.parse(RedrivePolicy ?? '')).toEqual({ deadLetterTargetArn: QueueArn, maxReceiveCount: 100 })
  })

  it('leaves existing buckets and queues unchanged', async () => {
    const { url, s3 } = await testCloud()
    const contents = { region, buckets: [bucket, 'results'], queue: 'imgpipe' }
    await fillCloud(url, contents)
    await uploadImages(url, { region, bucket, directory: await directoryOf(['1.jpg']) })
    await fillCloud(url, contents)
    expect((await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount).toBe(1)
  })
})

describe('uploadImages', () => {
  it('uploads the JPEG and PNG files of all subdirectories, keyed by path', async () => {
    const images = ['1.jpg', '10.JPEG', 'a b/é+%.PNG', 'a b/c/2.jpg']
    const directory = await directoryOf([...images, 'labels.tsv', 'a b/3.gif', 'jpg', '.hidden/notes'])
    await mkdir(join(directory, 'directory.jpg'))
    await symlink(join(directory, '1.jpg'), join(directory, 'link.jpg'))
    const { url, s3 } = await testCloud()
    await fillCloud(url, { region, buckets: [bucket], queue: 'imgpipe' })
    const uploaded = await uploadImages(url, { region, bucket, directory })
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
    expect(Contents.map(({ Key }) => Key)).toEqual([
      '1.jpg',
      '10.JPEG',
      'a b/c/2.jpg',
      'a b/é+%.PNG',
      'link.jpg',
    ])
    const bytes = Contents.reduce((sum, { Size = 0 }) => sum + Size, 0)
    expect(uploaded).toEqual({ images: 5, bytes, unreadable: [] })
    const { Body, ContentType } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'a b/é+%.PNG' }))
    expect([await Body?.transformToString(), ContentType]).toEqual(['bytes of a b/é+%.PNG', 'image/png'])
  })

  it('reports a missing directory in one sentence', async () => {
    const { url } = await testCloud()
    const refused = uploadImages(url, { region, bucket, directory: '/no/such/directory' })
    const message =
      'Cannot read images from /no/such/directory: no such directory. Specify a directory of JPEG or PNG files.'
    await expect(refused).rejects.toMatchObject({ message, exitCode: 64 })
  })

  it('ends early when it is stopped', async () => {
    const { url } = await testCloud()
    const directory = await directoryOf(['1.jpg', '2.jpg'])
    const uploaded = await uploadImages(url, { region, bucket, directory, signal: AbortSignal.abort() })
    expect(uploaded).toEqual({ images: 0, bytes: 0, unreadable: [] })
  })
})
