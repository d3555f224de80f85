import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import { createClients } from '../../src/aws/clients.ts'
import { AwsError } from '../../src/aws/errors.ts'
import { detectText } from '../../src/aws/rekognition.ts'

const { signal } = new AbortController()
const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }
const servers: (net.Server | http.Server)[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  }
})

async function listen(server: net.Server | http.Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** @returns the failure of one call */
async function failure(endpoint: string, environment: Record<string, string> = {}): Promise<AwsError> {
  const clients = createClients({ region: 'us-east-1' }, { endpoint, credentials, environment })
  onTestFinished(() => clients.close())
  const image = { bytes: new Uint8Array([0]) }
  const error = await detectText(clients.rekognition, image, signal).catch((thrown: unknown) => thrown)
  if (!(error instanceof AwsError)) throw error
  return error
}

test('a call without a connection is not billed', async () => {
  const port = await listen(net.createServer())
  servers.pop()?.close()
  expect((await failure(`http://127.0.0.1:${port}`)).mayBeBilled).toBe(false)
})

test.each([503, 407, 502])('a call whose proxy refuses the tunnel with %d is not billed', async (status) => {
  const proxy = http.createServer()
  proxy.on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`))
  const port = await listen(proxy)
  const error = await failure('https://rekognition.example', { HTTPS_PROXY: `http://127.0.0.1:${port}` })
  expect(error.mayBeBilled).toBe(false)
})

test('a call whose connection breaks in the TLS handshake is not billed', async () => {
  const port = await listen(net.createServer((socket) => void socket.once('data', () => socket.destroy())))
  expect((await failure(`https://127.0.0.1:${port}`)).mayBeBilled).toBe(false)
})

test('a call to a server that nobody trusts is not billed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'imgpipe-certificate-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const [key, cert] = [join(directory, 'key'), join(directory, 'cert')]
  const words = `req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout ${key} -out ${cert}`
  execFileSync('openssl', words.split(' '), { stdio: 'ignore' })
  let requests = 0
  const options = { key: readFileSync(key), cert: readFileSync(cert) }
  const port = await listen(
    https.createServer(options, () => {
      requests++
    }),
  )
  expect((await failure(`https://127.0.0.1:${port}`)).mayBeBilled).toBe(false)
  expect(requests).toBe(0)
})

test('a call that was received, and whose answer is lost, may be billed, on a new connection and a kept one', async () => {
  let requests = 0
  const server = http.createServer((request, response) => {
    requests++
    if (requests === 2) response.writeHead(503).end()
    else request.socket.destroy()
  })
  const port = await listen(server)
  const clients = createClients(
    { region: 'us-east-1' },
    { endpoint: `http://127.0.0.1:${port}`, credentials, environment: {} },
  )
  onTestFinished(() => clients.close())
  const billed: boolean[] = []
  for (let call = 0; call < 3; call++) {
    const image = { bytes: new Uint8Array([0]) }
    const error = await detectText(clients.rekognition, image, signal).catch((thrown: unknown) => thrown)
    if (error instanceof AwsError) billed.push(error.mayBeBilled)
  }
  expect(billed).toEqual([true, false, true])
  expect(requests).toBe(3)
})
