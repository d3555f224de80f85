import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runReport } from '../../src/commands/report.ts'
import { type LocalCloud, startLocalCloud } from '../../src/local/server.ts'
import type { Vision } from '../../src/local/vision/vision.ts'
import { greyPicture, temporaryFolder, withoutText, writeResults } from './run-fixture.ts'

/** A report recognises nothing: the models need not load. */
const blind: Vision = { objects: async () => [], text: async () => [], close: async () => {} }

let cloud: LocalCloud
let s3: S3Client
beforeAll(async () => {
  cloud = await startLocalCloud({ port: 0, vision: blind })
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  s3 = new S3Client({ endpoint: cloud.url, region: 'us-east-1', credentials, forcePathStyle: true })
  await s3.send(new CreateBucketCommand({ Bucket: 'pictures' }))
})
afterAll(async () => {
  s3.destroy()
  await cloud.stop()
})

async function put(key: string, body: Uint8Array): Promise<string> {
  const answer = await s3.send(new PutObjectCommand({ Bucket: 'pictures', Key: key, Body: body }))
  return answer.ETag ?? ''
}

test('brings the pictures from S3, but none that has been replaced or deleted since', async () => {
  const folder = await temporaryFolder()
  const [stateDir, out] = [join(folder, 'state'), join(folder, 'out')]
  const same = await put('a ü+%20.jpg', await greyPicture(40, 30))
  const earlier = await put('replaced.jpg', await greyPicture(40, 30))
  await put('replaced.jpg', await greyPicture(50, 30))
  await writeResults(stateDir, [
    { ...withoutText(1, 'a ü+%20.jpg'), etag: same },
    { ...withoutText(2, 'replaced.jpg'), etag: earlier },
    { ...withoutText(3, 'deleted.jpg'), etag: earlier },
  ])
  const said: string[] = []
  const settings = { stateDir, bucket: 'pictures', label: 'Car' }
  await runReport({ out }, { settings, s3, print: (line) => said.push(line) })
  expect(await readdir(join(out, 'pictures'))).toEqual(['1.jpg'])
  expect(
    (await readFile(join(out, 'index.html'), 'utf8')).match(/another picture has its name now/g),
  ).toHaveLength(2)
  expect(said).toEqual([
    `Report of run 20261122T174500Z-3f9a: 3 pictures, ${join(out, 'index.html')}`,
    expect.stringMatching(/^2 of them could not be shown; the first: It is no longer in the bucket/),
  ])
})
