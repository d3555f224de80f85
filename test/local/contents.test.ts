import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { GetQueueAttributesCommand, GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deadLetterQueueName } from '../../src/aws/queue-attributes.ts'
import { fillCloud, uploadPictures } from '../../src/local/contents.ts'
import { testCloud } from './cloud.ts'

const region = 'us-east-1'
const bucket = 'pictures'

async function folderOf(files: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'imgpipe-photos-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), `bytes of ${file}`)
  }
  return folder
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

  it('leaves alone what is there', async () => {
    const { url, s3 } = await testCloud()
    const contents = { region, buckets: [bucket, 'results'], queue: 'imgpipe' }
    await fillCloud(url, contents)
    await uploadPictures(url, { region, bucket, folder: await folderOf(['1.jpg']) })
    await fillCloud(url, contents)
    expect((await s3.send(new ListObjectsV2Command({ Bucket: bucket }))).KeyCount).toBe(1)
  })
})

describe('uploadPictures', () => {
  it('uploads the JPEGs and PNGs of all folders, by their paths', async () => {
    const pictures = ['1.jpg', '10.JPEG', 'a b/é+%.PNG', 'a b/c/2.jpg']
    const folder = await folderOf([...pictures, 'labels.tsv', 'a b/3.gif', 'jpg', '.hidden/notes'])
    await mkdir(join(folder, 'folder.jpg'))
    await symlink(join(folder, '1.jpg'), join(folder, 'link.jpg'))
    const { url, s3 } = await testCloud()
    await fillCloud(url, { region, buckets: [bucket], queue: 'imgpipe' })
    const uploaded = await uploadPictures(url, { region, bucket, folder })
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }))
    expect(Contents.map(({ Key }) => Key)).toEqual([
      '1.jpg',
      '10.JPEG',
      'a b/c/2.jpg',
      'a b/é+%.PNG',
      'link.jpg',
    ])
    const bytes = Contents.reduce((sum, { Size = 0 }) => sum + Size, 0)
    expect(uploaded).toEqual({ pictures: 5, bytes, unreadable: [] })
    const { Body, ContentType } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'a b/é+%.PNG' }))
    expect([await Body?.transformToString(), ContentType]).toEqual(['bytes of a b/é+%.PNG', 'image/png'])
  })

  it('says in one sentence that there is no such folder', async () => {
    const { url } = await testCloud()
    const refused = uploadPictures(url, { region, bucket, folder: '/no/such/folder' })
    const message =
      'The pictures cannot be read from /no/such/folder: there is no such folder; give a folder of JPEG or PNG files.'
    await expect(refused).rejects.toMatchObject({ message, exitCode: 64 })
  })

  it('ends early when it is stopped', async () => {
    const { url } = await testCloud()
    const folder = await folderOf(['1.jpg', '2.jpg'])
    const uploaded = await uploadPictures(url, { region, bucket, folder, signal: AbortSignal.abort() })
    expect(uploaded).toEqual({ pictures: 0, bytes: 0, unreadable: [] })
  })
})
