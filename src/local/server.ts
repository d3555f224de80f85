import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { availableParallelism } from 'node:os'
import { ImgpipeError } from '../host/exit-codes.ts'
import { isForRekognition, RekognitionService } from './rekognition/service.ts'
import { openStorage, type Storage } from './storage.ts'
import { startVision, type Vision } from './vision/vision.ts'

export interface LocalCloudOptions {
  /** 0 = any free one. */
  port: number
  /** Where buckets, objects, queues and messages are kept; undefined = in memory. */
  dataDir?: string
  /** Rekognition's quota, for each operation; undefined or 0 = none. */
  maxRequestsPerSecond?: number
  /** Recognition; the default starts the real models. One that is given is not closed. */
  vision?: Vision
  /**
   * Pictures of one operation that the recognition is given at a time; the others wait, and are forgotten when
   * their clients go. The default keeps every thread of the real models busy, and does not limit a given vision.
   */
  picturesAtATime?: number
  /**
   * Fills the cloud while its models load; it is ready only when this is done. S3 and SQS answer already.
   * @param url the cloud's
   */
  prepare?: (url: string) => Promise<void>
  /** Where the server says what went wrong inside it. */
  log?: (line: string) => void
}

export interface LocalCloud {
  /** http://127.0.0.1:PORT */
  readonly url: string
  /** Ends all connections and releases everything; more calls wait for the same end. */
  stop(): Promise<void>
}

/**
 * S3, SQS and Rekognition (DetectLabels, DetectText) on one port of the loopback interface.
 * Resolves when all is ready, models too; until then `GET /health` answers 503, then 200.
 *
 * @throws {ImgpipeError} `unavailable` when the port is in use or the data folder cannot be used
 */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const cloud = new Cloud()
  try {
    // The port first: that it is in use should not be learnt only after all else has been loaded.
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
  /** The models to close at the end: those that the cloud has started itself. */
  ownVision: Promise<Vision> | undefined
}

class Cloud implements LocalCloud {
  readonly #server: Server
  #services: Services | undefined
  #ready = false
  #stopped: Promise<void> | undefined

  constructor() {
    this.#server = createServer((request, response) => this.#route(request, response))
    // Longer than clients keep idle connections: one that ends just as a request is sent is an error to them.
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
    const enough = given === undefined ? 2 * availableParallelism() : Number.POSITIVE_INFINITY
    const { picturesAtATime = enough } = options
    const rekognition = new RekognitionService({
      vision,
      objects,
      maxRequestsPerSecond,
      picturesAtATime,
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
      this.#sayHealth(response)
    } else if (isForRekognition(request)) {
      void this.#services.rekognition.handle(request, response)
    } else {
      this.#services.storage.app.routing(asFauxqsHearsIt(request), response)
    }
  }

  #sayHealth(response: ServerResponse): void {
    response.writeHead(this.#ready ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ status: this.#ready ? 'ok' : 'starting' }))
  }
}

/** Makes up for the two things that SDKs may do and fauxqs 2.4.1 does not expect. */
function asFauxqsHearsIt(request: IncomingMessage): IncomingMessage {
  // A queue's address has a path, which some clients send to; fauxqs hears SQS at "/" only.
  if (String(request.headers['x-amz-target']).startsWith('AmazonSQS.')) request.url = '/'
  // An empty object may come without a type; fauxqs then has no body and answers 500. The type is S3's default.
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
  const why = cause.code === 'EADDRINUSE' ? 'is in use by another program' : 'is for root only'
  const message = `Port ${port} ${why}: choose another one with --port.`
  return new ImgpipeError('unavailable', message, { cause })
}
