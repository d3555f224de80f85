import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Quota } from '../quota.ts'
import type { StoredObjects } from '../storage.ts'
import { UndecodablePicture, type Vision } from '../vision/vision.ts'
import { detectLabels } from './detect-labels.ts'
import { detectText } from './detect-text.ts'
import { RekognitionError } from './errors.ts'
import { checkPicture, invalidFormat, loadImage } from './image.ts'
import type { Call, Operation } from './operation.ts'
import { readBody } from './request-body.ts'
import { Turns } from './turns.ts'

export interface RekognitionOptions {
  /** Requests wait until it is there. */
  vision: Promise<Vision>
  objects: StoredObjects
  /** For each operation; 0 = no quota. */
  maxRequestsPerSecond: number
  /** For each operation. */
  picturesAtATime: number
  log: (line: string) => void
}

const targetPrefix = 'RekognitionService.'
const contentType = 'application/x-amz-json-1.1'
const operations = { DetectLabels: detectLabels, DetectText: detectText }

/** Whether a request is for Rekognition: SQS speaks version 1.0 of the same protocol, S3 another one. */
export function isForRekognition({ method, headers }: IncomingMessage): boolean {
  if (method !== 'POST') return false
  const target = String(headers['x-amz-target'] ?? '')
  return target.startsWith(targetPrefix) || (headers['content-type'] ?? '').startsWith(contentType)
}

/** Rekognition over HTTP, in the JSON 1.1 protocol. Requests need no signature, and a signature is not checked. */
export class RekognitionService {
  readonly #options: RekognitionOptions
  readonly #operations: ReadonlyMap<string, OpenOperation>

  constructor(options: RekognitionOptions) {
    this.#options = options
    const open = (operation: Operation) => openOperation(operation, options)
    this.#operations = new Map(Object.entries(operations).map(([name, each]) => [name, open(each)]))
  }

  /** Answers the request, whatever comes; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = randomUUID()
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      const answer = await this.#answer(request, gone.signal)
      send(response, 200, requestId, answer)
    } catch (error) {
      if (gone.signal.aborted || (request.destroyed && !request.complete)) return
      const known = this.#known(error, requestId)
      send(response, known.status, requestId, known.body(requestId))
    }
  }

  async #answer(request: IncomingMessage, gone: AbortSignal): Promise<object> {
    const name = String(request.headers['x-amz-target'] ?? '').slice(targetPrefix.length)
    const body = await readBody(request)
    const operation = this.#operations.get(name)
    if (operation === undefined) {
      throw new RekognitionError('UnknownOperationException', `The local cloud has no operation "${name}".`)
    }
    if (!operation.quota.admits()) {
      throw new RekognitionError('ProvisionedThroughputExceededException', 'Provisioned rate exceeded')
    }
    const call = operation.read(body)
    return operation.turns.run(gone, () => this.#look(call))
  }

  async #look(call: Call): Promise<object> {
    const picture = loadImage(call.image, this.#options.objects)
    await checkPicture(picture, call.maxSide)
    const vision = await this.#options.vision
    try {
      return await call.answer(picture, vision)
    } catch (cause) {
      if (cause instanceof UndecodablePicture) throw invalidFormat({ cause })
      throw cause
    }
  }

  /** What is no error of the protocol is ours: it goes to the log, and the client learns only where to look. */
  #known(error: unknown, requestId: string): RekognitionError {
    if (error instanceof RekognitionError) return error
    const reason = error instanceof Error ? error.message : String(error)
    this.#options.log(`Rekognition request ${requestId} failed: ${reason}`)
    return new RekognitionError('InternalServerError', 'Internal server error')
  }
}

/** An operation with what is not shared with the others: its quota, and its places before the models. */
interface OpenOperation {
  readonly read: Operation
  readonly quota: Quota
  readonly turns: Turns
}

function openOperation(read: Operation, options: RekognitionOptions): OpenOperation {
  const { maxRequestsPerSecond, picturesAtATime } = options
  const quota = new Quota({ maxRequestsPerSecond, now: () => performance.now() })
  return { read, quota, turns: new Turns(picturesAtATime) }
}

function send(response: ServerResponse, status: number, requestId: string, answer: object): void {
  const body = JSON.stringify(answer)
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-amzn-requestid': requestId,
  })
  response.end(body)
}
