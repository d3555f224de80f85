import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { line, object, seeing, testCloud, testImage, word } from './cloud.ts'

/** Debian's package first: it is older than a version in the PATH, and therefore the stricter test. */
const places = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)]
const aws = places.map((place) => join(place, 'aws')).find((path) => existsSync(path))
if (aws === undefined) console.log('The aws command is not installed: its tests are skipped.')

const vision = seeing({ objects: [object('Car', 98)], lines: [line(99, word('YHI9', 98))] })

interface Ended {
  status: number
  out: string
  error: string
}

/** The AWS CLI, isolated from the credentials, region and settings of this machine. */
async function awsFor(url: string) {
  const directory = await mkdtemp(join(tmpdir(), 'imgpipe-aws-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const env = {
    PATH: process.env.PATH,
    HOME: directory,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_MAX_ATTEMPTS: '1',
  }
  const run = (...args: string[]) =>
    new Promise<Ended>((resolve) => {
      const command = ['--endpoint-url', url, '--no-cli-pager', ...args]
      execFile(aws ?? 'aws', command, { env, encoding: 'utf8' }, (failure, out, error) => {
        resolve({ status: failure === null ? 0 : Number(failure.code), out, error })
      })
    })
  return { directory, run }
}

describe.skipIf(aws === undefined)('Amazon’s aws command, unchanged', { timeout: 180_000 }, () => {
  it('makes, fills and lists a bucket', async () => {
    const { url } = await testCloud({ vision })
    const { directory, run } = await awsFor(url)
    const file = join(directory, 'car.jpg')
    await writeFile(file, await testImage())
    expect(await run('s3', 'mb', 's3://images')).toMatchObject({ status: 0 })
    expect(await run('s3', 'cp', file, 's3://images/é b+c%/1.jpg')).toMatchObject({ status: 0 })
    expect((await run('s3', 'ls')).out).toMatch(/ images\n$/)
    expect((await run('s3', 'ls', 's3://images')).out).toMatch(/PRE é b\+c%\/\n$/)
    expect((await run('s3', 'ls', 's3://images', '--recursive')).out).toMatch(/ é b\+c%\/1\.jpg\n$/)
  })

  it('gets labels and text, for an image in S3 and for bytes', async () => {
    const { url } = await testCloud({ vision })
    const { directory, run } = await awsFor(url)
    const file = join(directory, 'car.jpg')
    await writeFile(file, await testImage())
    await run('s3', 'mb', 's3://images')
    await run('s3', 'cp', file, 's3://images/1.jpg')
    const inS3 = ['--image', 'S3Object={Bucket=images,Name=1.jpg}']
    const asBytes = ['--image-bytes', `fileb://${file}`]
    for (const image of [inS3, asBytes]) {
      const labels = await run(
        'rekognition',
        'detect-labels',
        ...image,
        '--min-confidence',
        '98',
        '--max-labels',
        '1',
      )
      expect(JSON.parse(labels.out).Labels).toMatchObject([{ Name: 'Car', Confidence: 98 }])
      const text = await run('rekognition', 'detect-text', ...image)
      expect(JSON.parse(text.out).TextDetections).toMatchObject([{ DetectedText: 'YHI9' }, { ParentId: 0 }])
    }
  })

  it('receives the right error names', async () => {
    const { url } = await testCloud({ vision })
    const { directory, run } = await awsFor(url)
    const file = join(directory, 'random.jpg')
    await writeFile(file, randomBytes(5000))
    await run('s3', 'mb', 's3://images')
    await run('s3', 'cp', file, 's3://images/random.jpg')
    const detect = async (operation: string, ...rest: string[]) =>
      (await run('rekognition', operation, ...rest)).error
    const inS3 = (bucket: string, name: string) => ['--image', `S3Object={Bucket=${bucket},Name=${name}}`]
    const format = '(InvalidImageFormatException)'
    expect(await detect('detect-labels', '--image-bytes', `fileb://${file}`)).toContain(format)
    expect(await detect('detect-text', ...inS3('images', 'random.jpg'))).toContain(format)
    const missing = '(InvalidS3ObjectException)'
    expect(await detect('detect-labels', ...inS3('images', 'missing.jpg'))).toContain(missing)
    expect(await detect('detect-text', ...inS3('no-such-bucket', '1.jpg'))).toContain(missing)
    const unknown = await detect('detect-faces', ...inS3('images', '1.jpg'))
    expect(unknown).toContain('(UnknownOperationException)')
    expect((await run('s3', 'ls', 's3://no-such-bucket')).error).toContain('(NoSuchBucket)')
  })
})
