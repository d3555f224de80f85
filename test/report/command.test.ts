import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runReport } from '../../src/commands/report.ts'
import { type LocalCloud, startLocalCloud } from '../../src/local/server.ts'
import type { Vision } from '../../src/local/vision/vision.ts'
import { grayImage, temporaryDirectory, withoutText, writeResults } from './run-fixture.ts'

/** A report recognizes nothing: the models need not load. */
const blind: Vision = { objects: async () => [], text: async () => [], close: async () => {} }

let cloud: LocalCloud
let s3: S3Client
beforeAll(async () => {
  cloud = await startLocalCloud({ port: 0, vision: blind })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  s3 = new S3Client({ endpoint: cloud.url, region: 'us-east-1', credentials, forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket: 'images' }))
})
afterAll(async () => {
  s3.destroy()
  await cloud.stop()
})

async function put(key: string, body: Uint8Array): Promise<string> {
  const answer = await s3.send(new PutObjectCommand({ Bucket: 'images', Key: key, Body: body }))
  return answer.ETag ?? ''
}

test('fetches the images from S3, but none that was replaced or deleted since', async () => {
  const directory = await temporaryDirectory()
  const [stateDir, out] = [join(directory, 'state'), join(directory, 'out')]
  const same = await put('a ü+%20.jpg', await grayImage(40, 30))
  const earlier = await put('replaced.jpg', await grayImage(40, 30))
  await put('replaced.jpg', await grayImage(50, 30))
  await writeResults(stateDir, [
    { ...withoutText(1, 'a ü+%20.jpg'), etag: same },
    { ...withoutText(2, 'replaced.jpg'), etag: earlier },
    { ...withoutText(3, 'deleted.jpg'), etag: earlier },
  ])
  const said: string[] = []
  const settings = { stateDir, bucket: 'images', label: 'Car' }
  await runReport({ out }, { settings, s3, print: (line) => said.push(line) })
  expect(await readdir(join(out, 'images'))).toEqual(['1.jpg'])
  const page = await readFile(join(out, 'index.html'), 'utf8')
  expect(page).toContain('It could not be fetched: the object was replaced.')
  expect(page).toMatch(
    /It could not be fetched: HeadObject: the object does not exist|It could not be fetched: .*NoSuchKey/,
  )
  expect(said).toEqual([
    `Report of run 20261122T174500Z-3f9a: 3 images, ${join(out, 'index.html')}`,
    expect.stringMatching(/^2 of them could not be shown; the first: It could not be fetched: /),
  ])
})
