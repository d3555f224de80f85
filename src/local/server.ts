import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { availableParallelism } from 'node:os'
import { ImgpipeError } from '../host/exit-codes.ts'
import { isForRekognition, RekognitionService } from './rekognition/service.ts'
import { openStorage, type Storage } from './storage.ts'
import { startVision, type Vision } from './vision/vision.ts'

export interface LocalCloudOptions {
  /** 0 = any free port. */
  port: number
  /** Directory that buckets, objects, queues and messages are stored in; undefined = in memory. */
  dataDir?: string
  /** Rekognition's quota, for each operation; undefined or 0 = none. */
  maxRequestsPerSecond?: number
  /** Recognition; the default starts the real models. The caller closes the one it passes. */
  vision?: Vision
  /**
   * Maximum number of images that are processed concurrently per operation; other requests wait, and are dropped when
   * their clients disconnect. The default keeps every thread of the real models busy and is unlimited for a given
   * `vision`.
   */
  maxConcurrentImages?: number
  /**
   * Fills the cloud while its models load; the cloud is ready only once this is done. S3 and SQS already respond.
   * @param url of the cloud
   */
  prepare?: (url: string) => Promise<void>
  /** Receives internal errors. */
  log?: (line: string) => void
}

export interface LocalCloud {
  /** http://127.0.0.1:PORT */
  readonly url: string
  /** Closes all connections and releases all resources; idempotent. */
  stop(): Promise<void>
}

/**
 * S3, SQS and Rekognition (DetectLabels, DetectText) on one port of the loopback interface.
 * Resolves once everything is ready, including the models; until then `GET /health` responds with 503, then 200.
 *
 * @throws {ImgpipeError} `unavailable` when the port is in use or the data directory cannot be used
 */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const cloud = new Cloud()
  try {
    // The port first: a port in use should be reported before everything else has been loaded.
    await cloud.listen(options.port)
    await cloud.open(options)
    return cloud
  } catch (error) {
    await cloud.stop()
    throw error
  }
}

interface Services {
  storage: Storage
  rekognition: RekognitionService
  /** Models that the cloud started itself and closes at the end. */
  ownVision: Promise<Vision> | undefined
}

class Cloud implements LocalCloud {
  readonly #server: Server
  #services: Services | undefined
  #ready = false
  #stopped: Promise<void> | undefined

  constructor() {
    this.#server = createServer((request, response) => this.#route(request, response))
    // Longer than clients keep idle connections: closing one just as a request is sent is an error to the client.
    this.#server.keepAliveTimeout = 75_000
  }

  get url(): string {
    return `http://${loopback}:${portOf(this.#server)}`
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => reject(cannotListen(port, error)))
      this.#server.listen(port, loopback, resolve)
    })
  }

  async open(options: LocalCloudOptions): Promise<void> {
    const { dataDir, maxRequestsPerSecond = 0, vision: given, log = () => {} } = options
    const storage = await openStorage({ url: this.url, dataDir })
    const vision = given === undefined ? startVision() : Promise.resolve(given)
    const { objects } = storage
    const defaultLimit = given === undefined ? 2 * availableParallelism() : Number.POSITIVE_INFINITY
    const { maxConcurrentImages = defaultLimit } = options
    const rekognition = new RekognitionService({
      vision,
      objects,
      maxRequestsPerSecond,
      maxConcurrentImages,
      log,
    })
    this.#services = { storage, rekognition, ownVision: given === undefined ? vision : undefined }
    await Promise.all([vision, options.prepare?.(this.url)])
    this.#ready = true
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    await this.#services?.storage.close()
    this.#server.closeAllConnections()
    await closed
    const vision = await this.#services?.ownVision?.catch(() => undefined)
    await vision?.close()
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/health' || this.#services === undefined) {
      this.#sendHealth(response)
    } else if (isForRekognition(request)) {
      void this.#services.rekognition.handle(request, response)
    } else {
      this.#services.storage.app.routing(normalizeForFauxqs(request), response)
    }
  }

  #sendHealth(response: ServerResponse): void {
    response.writeHead(this.#ready ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ status: this.#ready ? 'ok' : 'starting' }))
  }
}

/** Adapts two kinds of valid requests that fauxqs 2.4.1 does not handle. */
function normalizeForFauxqs(request: IncomingMessage): IncomingMessage {
  // Some clients send to the path of the queue's URL; fauxqs serves SQS at "/" only.
  if (String(request.headers['x-amz-target']).startsWith('AmazonSQS.')) request.url = '/'
  // An empty object may have no content type; fauxqs then has no body and responds with 500. This is S3's default.
  if (request.method === 'PUT') request.headers['content-type'] ??= 'binary/octet-stream'
  return request
}

const loopback = '127.0.0.1'

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function cannotListen(port: number, cause: NodeJS.ErrnoException): Error {
  if (cause.code !== 'EADDRINUSE' && cause.code !== 'EACCES') return cause
  const why = cause.code === 'EADDRINUSE' ? 'is in use by another program' : 'requires root'
  const message = `Port ${port} ${why}: choose another port with --port.`
  return new ImgpipeError('unavailable', message, { cause })
}
