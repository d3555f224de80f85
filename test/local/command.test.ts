import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { GetQueueUrlCommand, SQSClient } from '@aws-sdk/client-sqs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testImage } from './cloud.ts'

const program = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** `imgpipe local` as a process, isolated from the settings of this machine. */
async function imgpipeLocal(args: string[], settings: object = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'imgpipe-command-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const config = join(directory, 'imgpipe.json')
  await writeFile(config, JSON.stringify(settings))
  await writeFile(join(directory, '1.jpg'), await testImage())
  const words = ['local', '--config', config, ...args.map((arg) => arg.replace('DIRECTORY', directory))]
  const child = spawn(process.execPath, [program, ...words], { env: { PATH: process.env.PATH } })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const output: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (text) => output.push(text))
  }
  return { child, output }
}

async function lineWith(child: ChildProcess, output: string[], words: string): Promise<string> {
  const found = () => output.find((text) => text.includes(words))
  const ended = once(child, 'exit').then(() => {
    throw new Error(`It ended without "${words}": ${output.join('\n')}`)
  })
  while (found() === undefined && child.stdout !== null)
    await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => undefined)
  return found() ?? ''
}

describe('imgpipe local', { timeout: 120_000 }, () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'serves the configured bucket and queue until %s',
    async (signal) => {
      const settings = { bucket: 'my-images', queue: 'my-queue.fifo', region: 'eu-west-1' }
      const { child, output } = await imgpipeLocal(['--port', '0', '--photos', 'DIRECTORY'], settings)
      const url = (await lineWith(child, output, 'is ready')).match(/http:\S+/)?.[0] ?? ''
      const common = {
        endpoint: url,
        region: 'eu-west-1',
        credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
      }
      const [s3, sqs] = [new S3Client({ ...common, forcePathStyle: true }), new SQSClient(common)]
      const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'my-images' }))
      expect(Contents?.map(({ Key }) => Key)).toEqual(['1.jpg'])
      const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: 'my-queue.fifo' }))
      expect(QueueUrl).toBe(`${url}/000000000000/my-queue.fifo`)
      await lineWith(child, output, 'Ctrl-C')
      expect(output.join('\n')).toContain(`export AWS_ENDPOINT_URL=${url} AWS_REGION=eu-west-1`)
      child.kill(signal)
      expect(await once(child, 'exit')).toEqual([0, null])
    },
  )

  it.each([
    [['--port', '70000'], 64, '--port must be a whole number from 0 to 65535, but is "70000"'],
    [['--port', '4566x'], 64, '--port must be a whole number'],
    [['--max-rps', 'many'], 64, '--max-rps must be a number of requests per second, but is "many"'],
    [['--port', '0', '--photos', 'DIRECTORY/none'], 64, 'no such directory'],
    [['--port', '0', '--data', 'DIRECTORY/1.jpg'], 74, 'cannot store its data in'],
    [['--prot', '0'], 64, "unknown option '--prot'"],
  ])('%j ends with %d and one sentence', async (args, status, words) => {
    const { child, output } = await imgpipeLocal(args)
    const [code] = await once(child, 'close')
    const errors = output.filter((text) => text.startsWith('imgpipe: '))
    expect([code, errors.length]).toEqual([status, 1])
    expect(errors[0]).toContain(words)
    expect(output.join('\n')).not.toMatch(/^ {4}at /m)
  })
})
