import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Of TEST-NET-1 (RFC 5737): nothing answers there, so whatever gets an answer from it went through the proxy. */
const address = '192.0.2.1'
const user = 'worker:secret'

/**
 * A network in which AWS can be reached only through a proxy: an HTTP proxy that wants a password and opens tunnels
 * (CONNECT), and at their other end a TLS server with a certificate of its own, which gives session credentials to whoever
 * asks STS for a role and passes everything else on to a local cloud.
 */
export class ProxiedNetwork {
  /** where each tunnel led */
  readonly tunnels: string[] = []
  /** access keys that requests were signed with */
  readonly keys = new Set<string>()
  readonly #directory = mkdtempSync(join(tmpdir(), 'imgpipe-proxy-'))
  readonly #sockets = new Set<net.Socket>()
  readonly #proxy = http.createServer((_request, response) => response.writeHead(400).end())
  readonly #service: https.Server
  readonly #cloudUrl: string

  static async start(cloudUrl: string): Promise<ProxiedNetwork> {
    const network = new ProxiedNetwork(cloudUrl)
    for (const server of [network.#service, network.#proxy])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return network
  }

  private constructor(cloudUrl: string) {
    this.#cloudUrl = cloudUrl
    const [key, certificate] = [join(this.#directory, 'key.pem'), join(this.#directory, 'certificate.pem')]
    const kind = [
      '-x509',
      '-nodes',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-days',
      '2',
    ]
    const names = ['-subj', '/CN=imgpipe test', '-addext', `subjectAltName=IP:${address}`]
    execFileSync('openssl', ['req', ...kind, ...names, '-keyout', key, '-out', certificate], {
      stdio: 'pipe',
    })
    const identity = { key: readFileSync(key), cert: readFileSync(certificate) }
    this.#service = https.createServer(identity, (request, response) => void this.#serve(request, response))
    this.#proxy.on('connect', (request, socket: net.Socket, head) => this.#tunnel(request, socket, head))
    for (const server of [this.#proxy, this.#service])
      server.on('connection', (socket) => {
        this.#sockets.add(socket)
        socket.on('close', () => this.#sockets.delete(socket))
      })
  }

  /** What a worker needs to know to get through. */
  get environment(): Record<string, string> {
    return {
      HTTPS_PROXY: `http://${user}@127.0.0.1:${portOf(this.#proxy)}`,
      NO_PROXY: '169.254.169.254',
      NODE_EXTRA_CA_CERTS: join(this.#directory, 'certificate.pem'),
      AWS_ENDPOINT_URL: `https://${address}`,
    }
  }

  #tunnel({ url = '', headers }: IncomingMessage, socket: net.Socket, head: Buffer): void {
    const wanted = `Basic ${Buffer.from(user).toString('base64')}`
    if (headers['proxy-authorization'] !== wanted) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n')
      return
    }
    this.tunnels.push(url)
    const onward = net.connect(portOf(this.#service), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.write(head)
      socket.pipe(onward).pipe(socket)
    })
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    this.keys.add(/Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '')
    const { method, headers, url } = request
    if (/^Action=AssumeRole|&Action=AssumeRole/.test(body.toString('latin1'))) {
      response.writeHead(200, { 'content-type': 'text/xml' }).end(assumedRole)
      return
    }
    const onward = http.request(`${this.#cloudUrl}${url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.on('error', () => response.destroy())
    onward.end(body)
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of [this.#proxy, this.#service]) await new Promise((resolve) => server.close(resolve))
    rmSync(this.#directory, { recursive: true })
  }
}

function portOf(server: net.Server): number {
  return (server.address() as AddressInfo).port
}

/** The access key of the role that STS gives. */
export const roleKey = 'ASIAROLE'
const assumedRole = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>${roleKey}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`
