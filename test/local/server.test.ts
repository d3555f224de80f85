import { once } from 'node:events'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { DetectLabelsCommand } from '@aws-sdk/client-rekognition'
import { CreateBucketCommand, ListBucketsCommand } from '@aws-sdk/client-s3'
import { CreateQueueCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { describe, expect, it, vi } from 'vitest'
import type { Vision } from '../../src/local/vision/vision.ts'
import { call, object, seeing, testCloud, testImage } from './cloud.ts'

async function imageRequest(): Promise<object> {
  return { Image: { Bytes: Buffer.from(await testImage()).toString('base64') } }
}

/** For events that are certain to happen, even on a busy machine. */
const patience = { timeout: 30_000 }

/** Analyses an image only when the test says so. */
function visionOnDemand() {
  const asked: (() => void)[] = []
  const objects = () => new Promise<[]>((resolve) => asked.push(() => resolve([])))
  return { asked, vision: { ...seeing({}), objects } satisfies Vision }
}

describe('The local cloud', () => {
  it('is healthy only once everything is ready', async () => {
    const before: number[] = []
    const prepare = async (url: string) => {
      before.push((await fetch(`${url}/health`)).status)
    }
    const { url } = await testCloud({ prepare })
    const health = await fetch(`${url}/health`)
    expect([before, health.status, await health.json()]).toEqual([[503], 200, { status: 'ok' }])
  })

  it('does not start when its preparation fails, and releases the port', async () => {
    let port = 0
    const prepare = async (url: string) => {
      port = Number(new URL(url).port)
      throw new Error('no such directory')
    }
    await expect(testCloud({ prepare })).rejects.toThrow('no such directory')
    expect((await testCloud({ port })).url).toContain(String(port))
  })

  it('reports a port in use in one sentence', async () => {
    const { url } = await testCloud()
    const port = Number(new URL(url).port)
    const message = `Port ${port} is in use by another program: choose another port with --port.`
    await expect(testCloud({ port })).rejects.toMatchObject({ message, exitCode: 69 })
  })

  it('reports an unusable data directory in one sentence', async () => {
    const dataDir = `${import.meta.filename}/below-a-file`
    const message = expect.stringContaining(`cannot store its data in ${dataDir}`)
    await expect(testCloud({ dataDir })).rejects.toMatchObject({ message, exitCode: 74 })
  })

  it('listens on the loopback interface only', async () => {
    const { url } = await testCloud()
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
    for (const { address } of addresses.filter(({ internal, family }) => !internal && family === 'IPv4')) {
      await expect(fetch(url.replace('127.0.0.1', address))).rejects.toThrow('fetch failed')
    }
  })

  it('stops during a client’s long poll, and stops once', async () => {
    const { sqs, stop } = await testCloud()
    const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'imgpipe' }))
    const poll = sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 })).catch(() => undefined)
    await Promise.all([stop(), stop(), poll])
  })

  it('rejects malformed HTTP and keeps serving', async () => {
    const { url } = await testCloud()
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.end('NO HTTP AT ALL\r\n\r\n')
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toMatch(/^HTTP\/1.1 400 /)
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })
})

describe('The quota', () => {
  it('applies to each operation separately, with Amazon’s error name', async () => {
    const { url, rekognition } = await testCloud({ maxRequestsPerSecond: 0.001 })
    const request = await imageRequest()
    const errors = async (operation: string) => {
      const answers = await Promise.all([1, 2, 3].map(() => call(url, operation, request)))
      return answers.map(({ error }) => error).sort()
    }
    const exceeded = 'ProvisionedThroughputExceededException'
    expect(await errors('DetectLabels')).toEqual(['', exceeded, exceeded])
    expect(await errors('DetectText')).toEqual(['', exceeded, exceeded])
    const Image = { Bytes: await testImage() }
    const refused = rekognition.send(new DetectLabelsCommand({ Image }))
    await expect(refused).rejects.toMatchObject({ name: exceeded, $metadata: { httpStatusCode: 400 } })
  })
})

describe('While images are analysed', () => {
  it('S3 responds', async () => {
    const { asked, vision } = visionOnDemand()
    const { url, s3 } = await testCloud({ vision })
    const request = await imageRequest()
    const looking = call(url, 'DetectLabels', request)
    await vi.waitFor(() => expect(asked).toHaveLength(1), patience)
    await s3.send(new CreateBucketCommand({ Bucket: 'images' }))
    expect((await s3.send(new ListBucketsCommand({}))).Buckets).toHaveLength(1)
    asked[0]?.()
    expect((await looking).status).toBe(200)
  })

  it('DetectText does not wait behind DetectLabels', async () => {
    const { asked, vision } = visionOnDemand()
    const { url } = await testCloud({ vision, maxConcurrentImages: 2 })
    const request = await imageRequest()
    const looking = Array.from({ length: 10 }, () => call(url, 'DetectLabels', request))
    expect((await call(url, 'DetectText', request)).status).toBe(200)
    await answerAll(asked, looking)
  })

  it('requests of disconnected clients are dropped', async () => {
    const { asked, vision } = visionOnDemand()
    const { url } = await testCloud({ vision, maxConcurrentImages: 1 })
    const request = await imageRequest()
    const busy = call(url, 'DetectLabels', request)
    await vi.waitFor(() => expect(asked).toHaveLength(1), patience)
    const gone = new AbortController()
    const left = Array.from({ length: 5 }, () => abortable(url, request, gone.signal))
    await serverHasSeenAll(url)
    gone.abort()
    await Promise.allSettled(left)
    await serverHasSeenAll(url)
    await answerAll(asked, [busy, call(url, 'DetectLabels', request)])
    expect(asked).toHaveLength(2)
  })

  /** The server is in this process: what was on its way before these requests has come before their answers. */
  async function serverHasSeenAll(url: string): Promise<void> {
    for (let round = 0; round < 10; round++) await fetch(`${url}/health`)
  }

  function abortable(url: string, request: object, signal: AbortSignal) {
    const headers = { 'x-amz-target': 'RekognitionService.DetectLabels' }
    return fetch(url, { method: 'POST', headers, body: JSON.stringify(request), signal })
  }

  /** Answers whatever is asked until all these calls have been answered. */
  async function answerAll(asked: (() => void)[], calls: Promise<{ status: number }>[]): Promise<void> {
    const done = Promise.all(calls).then((answers) => answers.every(({ status }) => status === 200))
    const answering = setInterval(() => {
      for (const answer of asked) answer()
    }, 5)
    expect(await done).toBe(true)
    clearInterval(answering)
  }

  it('a truncated request is not a server error', async () => {
    const log: string[] = []
    const { url } = await testCloud({ log: (line) => log.push(line) })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(
      'POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: RekognitionService.DetectText\r\ncontent-length: 999\r\n\r\n{"Im',
    )
    socket.end()
    await once(socket.resume(), 'close')
    expect((await call(url, 'DetectText', await imageRequest())).status).toBe(200)
    expect(log).toEqual([])
  })
})

describe('Recognition', () => {
  it('depends on the bytes, not on the key', async () => {
    const seen: number[] = []
    const vision: Vision = {
      ...seeing({}),
      objects: async (bytes) => {
        seen.push(bytes.length)
        return [object('Car', 99)]
      },
    }
    const { url } = await testCloud({ vision })
    const bytes = await testImage()
    await call(url, 'DetectLabels', await imageRequest())
    expect(seen).toEqual([bytes.length])
  })
})
