import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Quota } from '../quota.ts'
import type { StoredObjects } from '../storage.ts'
import { UndecodableImage, type Vision } from '../vision/vision.ts'
import { detectLabels } from './detect-labels.ts'
import { detectText } from './detect-text.ts'
import { RekognitionError } from './errors.ts'
import { checkImage, invalidFormat, loadImage } from './image.ts'
import type { Call, Operation } from './operation.ts'
import { readBody } from './request-body.ts'
import { Semaphore } from './semaphore.ts'

export interface RekognitionOptions {
  /** Requests wait until it has loaded. */
  vision: Promise<Vision>
  objects: StoredObjects
  /** For each operation; 0 = no quota. */
  maxRequestsPerSecond: number
  /** Maximum number of images processed concurrently, for each operation. */
  maxConcurrentImages: number
  log: (line: string) => void
}

const targetPrefix = 'RekognitionService.'
const contentType = 'application/x-amz-json-1.1'
const operations = { DetectLabels: detectLabels, DetectText: detectText }

/** Whether a request is for Rekognition: SQS uses version 1.0 of the same protocol, S3 a different one. */
export function isForRekognition({ method, headers }: IncomingMessage): boolean {
  if (method !== 'POST') return false
  const target = String(headers['x-amz-target'] ?? '')
  return target.startsWith(targetPrefix) || (headers['content-type'] ?? '').startsWith(contentType)
}

/** Rekognition over HTTP, using the AWS JSON 1.1 protocol. Signatures are neither required nor checked. */
export class RekognitionService {
  readonly #options: RekognitionOptions
  readonly #operations: ReadonlyMap<string, OperationState>

  constructor(options: RekognitionOptions) {
    this.#options = options
    const create = (operation: Operation) => createOperation(operation, options)
    this.#operations = new Map(Object.entries(operations).map(([name, each]) => [name, create(each)]))
  }

  /** Handles any request; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomUUID()
    const disconnected = new AbortController()
    response.once('close', () => disconnected.abort())
    try {
      const body = await this.#process(request, disconnected.signal)
      send(response, 200, requestId, body)
    } catch (error) {
      if (disconnected.signal.aborted || (request.destroyed && !request.complete)) return
      const known = this.#toRekognitionError(error, requestId)
      send(response, known.status, requestId, known.body(requestId))
    }
  }

  async #process(request: IncomingMessage, disconnected: AbortSignal): Promise<object> {
    const name = String(request.headers['x-amz-target'] ?? '').slice(targetPrefix.length)
    const body = await readBody(request)
    const operation = this.#operations.get(name)
    if (operation === undefined) {
      throw new RekognitionError(
        'UnknownOperationException',
        `The local cloud does not support the operation "${name}".`,
      )
    }
    if (!operation.quota.tryAcquire()) {
      throw new RekognitionError('ProvisionedThroughputExceededException', 'Provisioned rate exceeded')
    }
    const call = operation.read(body)
    return operation.semaphore.run(disconnected, () => this.#analyse(call))
  }

  async #analyse(call: Call): Promise<object> {
    const bytes = loadImage(call.image, this.#options.objects)
    await checkImage(bytes, call.maxSide)
    const vision = await this.#options.vision
    try {
      return await call.respond(bytes, vision)
    } catch (cause) {
      if (cause instanceof UndecodableImage) throw invalidFormat({ cause })
      throw cause
    }
  }

  /** Any other error is internal: it is logged, and the client receives only the request ID. */
  #toRekognitionError(error: unknown, requestId: string): RekognitionError {
    if (error instanceof RekognitionError) return error
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.log(`Rekognition request ${requestId} failed: ${reason}`)
    return new RekognitionError('InternalServerError', 'Internal server error')
  }
}

/** An operation with its own quota and concurrency limit. */
interface OperationState {
  readonly read: Operation
  readonly quota: Quota
  readonly semaphore: Semaphore
}

function createOperation(read: Operation, options: RekognitionOptions): OperationState {
  const { maxRequestsPerSecond, maxConcurrentImages } = options
  const quota = new Quota({ maxRequestsPerSecond, now: () => performance.now() })
  return { read, quota, semaphore: new Semaphore(maxConcurrentImages) }
}

function send(response: ServerResponse, status: number, requestId: string, content: object): void {
  const body = JSON.stringify(content)
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-amzn-requestid': requestId,
  })
  response.end(body)
}
