import http from 'node:http'
import https from 'node:https'
import { RekognitionClient } from '@aws-sdk/client-rekognition'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { AwsCredentialIdentity, HttpResponse } from '@smithy/types'
import { slowestBytesPerMs } from '../flow/adaptive-deadline.ts'
import { CallCounter } from './call-counter.ts'
import { credentialsProvider } from './credentials.ts'
import type { Service } from './error-codes.ts'
import { incompleteAnswer } from './errors.ts'
import { maxInlineBytes } from './rekognition.ts'
import { destroyBody } from './response-body.ts'
import { observeConnections, observeRequests } from './sent-requests.ts'

/** The three services of one worker, and an account of the requests to them. */
export interface Clients {
  readonly s3: S3Client
  readonly sqs: SQSClient
  readonly rekognition: RekognitionClient
  readonly calls: CallCounter
  close(): void
}

export interface ClientOptions {
  /** instead of what AWS_ENDPOINT_URL and the shared configuration say */
  readonly endpoint?: string
  /** instead of the SDK's chain of providers */
  readonly credentials?: AwsCredentialIdentity
  /** proxies (HTTPS_PROXY, HTTP_PROXY, NO_PROXY) and credentials are read from it */
  readonly environment?: Environment
  /** limits of silence in ms, see `silenceLimitsMs` */
  readonly silenceMs?: Partial<Record<Service, number>>
}

export type Environment = Readonly<Record<string, string | undefined>>

const minDeadlineMs = 60_000

/**
 * The longest that a request may take in all whose body, or whose answer, has so many bytes: what the slowest usable line needs,
 * because a good image must not be blamed for its line. A connection that is dead is given up long before, for its silence.
 */
export function requestDeadlineMs(bytes: number): number {
  return minDeadlineMs + bytes / slowestBytesPerMs
}

/**
 * A connection on which no byte moves for so long is given up; while a download progresses it is kept, however slow the line.
 * SQS is silent during a long poll of up to 20 seconds.
 *
 * An upload's progress cannot be seen: the system, or a proxy, buffers megabytes of it at once and then sends them in silence.
 * So the limit of Rekognition is that of its largest body at the lowest speed, and the deadline of each request decides before.
 */
export const silenceLimitsMs = {
  s3: 30_000,
  sqs: 30_000,
  rekognition: requestDeadlineMs(maxInlineBytes),
} as const
const connectMs = 10_000
/** Below what servers and proxies commonly have: a request must not be sent on a connection that is being closed. */
const idleConnectionMs = 4_000

/**
 * Clients whose every request ends: with an answer, an error, or silence. They try once: retries are src/flow's, which has to
 * see each failure. Endpoints and credentials come from where the SDK looks for them.
 */
export function createClients({ region }: { region: string }, options: ClientOptions = {}): Clients {
  const { endpoint, credentials, environment = process.env } = options
  const limits = { ...silenceLimitsMs, ...options.silenceMs }
  const agents = createAgents(environment)
  const common = (silenceMs: number) => ({
    region,
    maxAttempts: 1,
    credentials: credentials ?? credentialsProvider(environment),
    ...(endpoint !== undefined && { endpoint }),
    // No requestTimeout: it starts before the upload, so it would measure the size of the body.
    requestHandler: { connectionTimeout: connectMs, socketTimeout: silenceMs, ...agents },
  })
  const s3 = new S3Client({
    ...common(limits.s3),
    followRegionRedirects: true,
    // A validated body is a stream that crashes the process when it breaks before anybody listens to it.
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  rejectPages(s3)
  // Without this the SDK sends to the host inside the queue's URL, whatever endpoint was set.
  const sqs = new SQSClient({ ...common(limits.sqs), useQueueUrlAsEndpoint: false })
  const rekognition = new RekognitionClient(common(limits.rekognition))
  for (const { middlewareStack } of [s3, sqs, rekognition]) observeRequests(middlewareStack)
  const calls = new CallCounter()
  calls.watch(s3, 's3')
  calls.watch(sqs, 'sqs')
  calls.watch(rekognition, 'rekognition')
  const close = () => {
    for (const client of [s3, sqs, rekognition]) client.destroy()
  }
  return { s3, sqs, rekognition, calls, close }
}

/**
 * A page of a proxy or captive portal with status 200 may have an ETag, and would pass for the object. Every answer of S3
 * has a request ID, an object of type text/html too. S3-compatible servers may leave it out of a success: what is no page, and
 * has no weak ETag, is taken without it where its content can be checked, but confirms no write and contradicts nothing.
 */
function rejectPages(s3: S3Client): void {
  s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args)
        const { statusCode, headers, body } = result.response as HttpResponse
        const contentType = headers['content-type'] ?? ''
        const isPage = /^(text\/|application\/xhtml)/i.test(contentType)
        const isWeak = headers.etag?.startsWith('W/') ?? false
        if (statusCode >= 300 || !(isPage || isWeak) || headers['x-amz-request-id'] !== undefined)
          return result
        destroyBody(body)
        const operation = String(commandName).replace(/Command$/, '')
        const what = `the answer is not from AWS (${statusCode}, ${contentType}, no request ID)`
        throw incompleteAnswer({ service: 's3', operation }, what)
      },
    { step: 'deserialize', priority: 'low', name: 'imgpipeRejectPages' },
  )
}

/** Never asked through a proxy: this machine, and what gives an instance or a container its credentials. */
const neverProxied = 'localhost,127.0.0.1,[::1],169.254.169.254,169.254.170.2,169.254.170.23,[fd00:ec2::254]'

/** The SDK's own agents ignore the proxy variables. */
function createAgents(environment: Environment) {
  const noProxy = environment.no_proxy || environment.NO_PROXY
  const proxyEnv = {
    HTTP_PROXY: proxyUrl(environment.http_proxy || environment.HTTP_PROXY),
    HTTPS_PROXY: proxyUrl(environment.https_proxy || environment.HTTPS_PROXY),
    NO_PROXY: noProxy ? `${noProxy},${neverProxied}` : neverProxied,
  }
  const agent = { keepAlive: true, timeout: idleConnectionMs, proxyEnv }
  const agents = { httpAgent: new http.Agent(agent), httpsAgent: new https.Agent(agent) }
  for (const each of Object.values(agents)) observeConnections(each)
  return agents
}

/** Node ignores an address without a scheme, which other programs take for one of HTTP. */
function proxyUrl(address: string | undefined): string | undefined {
  return address === undefined || address === '' || address.includes('://') ? address : `http://${address}`
}
