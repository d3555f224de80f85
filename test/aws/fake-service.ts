import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ClientOptions, type Clients, createClients } from '../../src/aws/clients.ts'

/** What the server answers; a function answers by itself. */
export type Answer =
  | { status?: number; headers?: Record<string, string>; body?: string | Buffer }
  | ((response: ServerResponse, request: IncomingMessage) => void)

export interface FakeRequest {
  readonly method: string
  /** path with query */
  readonly url: string
  readonly query: URLSearchParams
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** An HTTP server that answers as a test says, and the SDK's clients that ask it. */
export class FakeService {
  readonly requests: FakeRequest[] = []
  readonly clients: Clients
  readonly #server: http.Server

  static async start(
    answer: (request: FakeRequest, count: number) => Answer,
    options: ClientOptions = {},
  ): Promise<FakeService> {
    const requests: FakeRequest[] = []
    const server = http.createServer(async (request, response) => {
      const { method = '', url = '', headers } = request
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const body = Buffer.concat(chunks).toString()
      const seen = { method, url, query: new URL(url, 'http://x').searchParams, headers, body }
      requests.push(seen)
      send(answer(seen, requests.length), response, request)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new FakeService(server, requests, options)
  }

  private constructor(server: http.Server, requests: FakeRequest[], options: ClientOptions) {
    this.requests = requests
    this.#server = server
    const { port } = server.address() as AddressInfo
    this.clients = createClients(
      { region: 'us-east-1' },
      { endpoint: `http://127.0.0.1:${port}`, credentials, environment: {}, ...options },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.clients.close()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

export const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' }

function send(answer: Answer, response: ServerResponse, request: IncomingMessage): void {
  if (typeof answer === 'function') {
    answer(response, request)
    return
  }
  const { status = 200, headers = {}, body = '' } = answer
  const length = request.method === 'HEAD' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  response.writeHead(status, { ...length, ...headers })
  response.end(request.method === 'HEAD' ? undefined : body)
}

export function json(status: number, body: object, headers: Record<string, string> = {}): Answer {
  const all = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'R1', ...headers }
  return { status, headers: all, body: JSON.stringify(body) }
}

export function jsonError(status: number, type: string, message = 'said so', headers = {}): Answer {
  return json(status, { __type: type, message }, headers)
}

export function xml(status: number, body: string, headers: Record<string, string> = {}): Answer {
  const all = { 'content-type': 'application/xml', 'x-amz-request-id': 'R1', ...headers }
  return { status, headers: all, body: `<?xml version="1.0" encoding="UTF-8"?>\n${body}` }
}

export function s3Error(status: number, code: string, extra = '', headers = {}): Answer {
  const body = `<Error><Code>${code}</Code><Message>said so</Message>${extra}<RequestId>R1</RequestId></Error>`
  return xml(status, body, headers)
}

export function html(status: number): Answer {
  const body = '<html><head><title>Proxy</title></head>\n<body>not\nAmazon</body></html>'
  return { status, headers: { 'content-type': 'text/html' }, body }
}

export const noShutdown = { forced: new AbortController().signal }
