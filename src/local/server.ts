import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { ImgpipeError } from '../daemon/exit-codes.ts'
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
  const storage = await openStorage(options.dataDir)
  const models = Promise.withResolvers<Vision>()
  const cloud = new Cloud(
    storage,
    new RekognitionService(rekognitionOptions(options, storage, models.promise)),
  )
  try {
    // The port first: that it is in use should not be learnt only after the models have been loaded.
    await cloud.listen(options.port)
    const vision = options.vision ?? (await startVision())
    if (options.vision === undefined) cloud.closeAtEnd(vision)
    models.resolve(vision)
    cloud.ready = true
    return cloud
  } catch (error) {
    await cloud.stop()
    throw error
  }
}

function rekognitionOptions(options: LocalCloudOptions, storage: Storage, vision: Promise<Vision>) {
  const { maxRequestsPerSecond = 0, log = () => {} } = options
  return { vision, objects: storage.objects, maxRequestsPerSecond, log }
}

class Cloud implements LocalCloud {
  ready = false
  readonly #server: Server
  readonly #storage: Storage
  readonly #rekognition: RekognitionService
  #vision: Vision | undefined
  #stopped: Promise<void> | undefined

  constructor(storage: Storage, rekognition: RekognitionService) {
    this.#storage = storage
    this.#rekognition = rekognition
    this.#server = createServer((request, response) => this.#route(request, response))
    // Longer than clients keep idle connections: one that is closed just when a request is sent is an error to them.
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

  closeAtEnd(vision: Vision): void {
    this.#vision = vision
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    await this.#storage.close()
    this.#server.closeAllConnections()
    await closed
    await this.#vision?.close()
  }

  #route(request: IncomingMessage, response: ServerResponse): void {
    if (isForRekognition(request)) {
      void this.#rekognition.handle(request, response)
    } else if (request.url === '/health') {
      this.#sayHealth(response)
    } else {
      // The address of a queue is also its URL's path, where some clients send to; fauxqs listens at "/" only.
      if (String(request.headers['x-amz-target']).startsWith('AmazonSQS.')) request.url = '/'
      this.#storage.app.routing(request, response)
    }
  }

  #sayHealth(response: ServerResponse): void {
    response.writeHead(this.ready ? 200 : 503, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ status: this.ready ? 'ok' : 'starting' }))
  }
}

const loopback = '127.0.0.1'

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function cannotListen(port: number, cause: Error): Error {
  if (!('code' in cause) || (cause.code !== 'EADDRINUSE' && cause.code !== 'EACCES')) return cause
  const why = cause.code === 'EADDRINUSE' ? 'is in use by another program' : 'may be used by root only'
  const message = `Port ${port} ${why}: end that program, or choose another port with --port.`
  return new ImgpipeError('unavailable', message, { cause })
}
