import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands in front of the local cloud and refuses expired session keys, as Amazon does. */
export interface Gate {
  readonly url: string
  /** From now on requests signed with this access key are refused as expired. */
  expire(accessKeyId: string): void
  /** How many requests came in that were signed with this access key, refused or not. */
  seen(accessKeyId: string): number
  stop(): Promise<void>
}

export async function openGate(cloudUrl: string): Promise<Gate> {
  const expired = new Set<string>()
  const seen = new Map<string, number>()
  const server = createServer((incoming, outgoing) => {
    const key = accessKeyOf(incoming)
    seen.set(key, (seen.get(key) ?? 0) + 1)
    if (expired.has(key)) refuse(incoming, outgoing)
    else forward(cloudUrl, incoming, outgoing)
  })
  server.keepAliveTimeout = 75_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    expire: (key) => expired.add(key),
    seen: (key) => seen.get(key) ?? 0,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function accessKeyOf({ headers }: IncomingMessage): string {
  return /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? ''
}

function forward(cloudUrl: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const { method, url, headers } = incoming
  const onward = request(`${cloudUrl}${url}`, { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(outgoing)
  })
  onward.on('error', () => outgoing.destroy())
  outgoing.on('close', () => onward.destroy())
  incoming.pipe(onward)
}

/** SQS and Rekognition speak JSON, S3 XML. */
function refuse(incoming: IncomingMessage, outgoing: ServerResponse): void {
  incoming.resume()
  const message = 'The security token included in the request is expired'
  if (incoming.headers['x-amz-target']) {
    outgoing.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' })
    outgoing.end(JSON.stringify({ __type: 'ExpiredTokenException', message }))
  } else {
    outgoing.writeHead(400, { 'content-type': 'application/xml' })
    outgoing.end(`<Error><Code>ExpiredToken</Code><Message>${message}</Message></Error>`)
  }
}
