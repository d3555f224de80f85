import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { createClients, requestDeadlineMs, silenceLimitsMs } from '../../src/aws/clients.ts'
import { detectText, maxInlineBytes } from '../../src/aws/rekognition.ts'
import { credentials, FakeService, json, noShutdown } from './fake-service.ts'

const signal = noShutdown.forced
const region = 'us-east-1'
const image = { bytes: new Uint8Array([1]) }

/** Answers every tunnel with 502, and notes where it was to lead. */
async function withProxy(
  work: (url: string, tunnels: string[], plain: string[]) => Promise<void>,
): Promise<void> {
  const tunnels: string[] = []
  const plain: string[] = []
  const proxy = http.createServer((request, response) => {
    plain.push(request.url ?? '')
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' })
    response.end('{"TextDetections":[],"TextModelVersion":"3"}')
  })
  proxy.on('connect', ({ url = '' }, socket) => {
    tunnels.push(url)
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  await work(`127.0.0.1:${(proxy.address() as AddressInfo).port}`, tunnels, plain)
  await new Promise((resolve) => proxy.close(resolve))
}

test.each(['HTTPS_PROXY', 'https_proxy'])('%s is used, with and without a scheme', async (name) => {
  await withProxy(async (address, tunnels) => {
    for (const proxy of [address, `http://${address}`]) {
      const { rekognition, close } = createClients(
        { region },
        { credentials, environment: { [name]: proxy } },
      )
      const call = detectText(rekognition, image, signal)
      await expect(call).rejects.toMatchObject({ kind: 'transient', message: expect.stringContaining('502') })
      close()
    }
    expect(tunnels).toEqual(Array(2).fill('rekognition.us-east-1.amazonaws.com:443'))
  })
})

test('HTTP_PROXY is used for an endpoint of HTTP', async () => {
  await withProxy(async (address, _tunnels, plain) => {
    const options = { credentials, endpoint: 'http://service.example', environment: { HTTP_PROXY: address } }
    const { rekognition, close } = createClients({ region }, options)
    await detectText(rekognition, image, signal)
    expect(plain).toEqual(['http://service.example/'])
    close()
  })
})

test.each(['NO_PROXY', 'no_proxy'])(
  '%s is obeyed, and this machine is never asked through a proxy',
  async (name) => {
    const answer = json(200, { TextDetections: [], TextModelVersion: '3' })
    for (const more of [{}, { [name]: 'service.example' }]) {
      const environment = { HTTP_PROXY: 'http://127.0.0.1:1', ...more }
      await using fake = await FakeService.start(() => answer, { environment })
      await detectText(fake.clients.rekognition, image, signal)
      expect(fake.requests).toHaveLength(1)
    }
    const environment = { HTTP_PROXY: 'http://127.0.0.1:1', [name]: 'service.invalid' }
    const { rekognition, close } = createClients(
      { region },
      { credentials, endpoint: 'http://service.invalid', environment },
    )
    // Asked directly, so its name is looked up; the proxy would have refused.
    await expect(detectText(rekognition, image, signal)).rejects.toMatchObject({ kind: 'host' })
    close()
  },
)

test('a host that accepts and says nothing ends by the limit of silence', async () => {
  const silent = net.createServer((socket) => socket.resume())
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const options = { credentials, endpoint, environment: {}, silenceMs: { s3: 200 } }
  const { s3, close } = createClients({ region }, options)
  const head = s3.send(new HeadObjectCommand({ Bucket: 'b', Key: 'k' }))
  await expect(head).rejects.toMatchObject({ name: 'TimeoutError' })
  close()
  await new Promise((resolve) => silent.close(resolve))
})

test('the limits allow a long poll and the largest upload over a slow line', () => {
  expect(silenceLimitsMs.sqs).toBeGreaterThan(20_000)
  // 7 MB in base64 at 128 kbit/s.
  expect(requestDeadlineMs(maxInlineBytes)).toBeGreaterThan(((maxInlineBytes * 4) / 3 / 16_000) * 1000)
  expect(silenceLimitsMs.rekognition).toBeGreaterThanOrEqual(requestDeadlineMs(maxInlineBytes))
})
