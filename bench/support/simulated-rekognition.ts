import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DetectLabelsResponse, DetectTextResponse } from '@aws-sdk/client-rekognition'
import { QuotaBucket } from './quota-bucket.ts'

export interface RekognitionLoad {
  /** Calls per second, for each operation; 0 = no quota. */
  quota: number
  /** The bucket's size in seconds of quota. */
  burstSeconds: number
  /** Log-normal latency of an admitted call; a throttled one is answered at once. */
  medianMs: number
  p99Ms: number
  /** The share of images with a car. */
  carShare: number
  /** Labels beside the first one in an answer of DetectLabels; absent = none. Amazon gives about a dozen. */
  moreLabels?: number
}

/** What became of one operation's calls. Times are ms since 1970. */
export interface OperationCounts {
  calls: number
  throttled: number
  maxInFlight: number
  firstCallAt: number
  lastAnswerAt: number
}

/** Answers of DetectLabels by key: when they were given (ms since 1970). */
export type AnsweredAt = Record<string, number>

type Operation = 'DetectLabels' | 'DetectText'

/**
 * A Rekognition with a quota, a burst and a long-tailed latency, whose answers follow from a hash of the
 * image's key or bytes. It knows nothing of imgpipe.
 */
export class SimulatedRekognition {
  readonly answeredAt: AnsweredAt = {}
  readonly #load: RekognitionLoad
  readonly #operations: Record<Operation, { bucket: QuotaBucket; counts: OperationCounts; inFlight: number }>

  constructor(load: RekognitionLoad) {
    this.#load = load
    const fresh = () => ({
      bucket: new QuotaBucket(load.quota, load.burstSeconds, () => performance.now()),
      counts: { calls: 0, throttled: 0, maxInFlight: 0, firstCallAt: 0, lastAnswerAt: 0 },
      inFlight: 0,
    })
    this.#operations = { DetectLabels: fresh(), DetectText: fresh() }
  }

  get counts(): Record<Operation, OperationCounts> {
    const { DetectLabels, DetectText } = this.#operations
    return { DetectLabels: DetectLabels.counts, DetectText: DetectText.counts }
  }

  changeQuota(perSecond: number): void {
    for (const { bucket } of Object.values(this.#operations)) bucket.change(perSecond)
  }

  /** @returns false when the request is for another service */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const target = String(request.headers['x-amz-target'] ?? '')
    if (!target.startsWith('RekognitionService.')) return false
    void this.#answer(target.endsWith('DetectText') ? 'DetectText' : 'DetectLabels', request, response)
    return true
  }

  async #answer(operation: Operation, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readAll(request)
    const state = this.#operations[operation]
    const { counts, bucket } = state
    counts.calls += 1
    counts.firstCallAt ||= Date.now()
    if (!bucket.admits()) {
      counts.throttled += 1
      return send(response, 400, throttling)
    }
    state.inFlight += 1
    counts.maxInFlight = Math.max(counts.maxInFlight, state.inFlight)
    await new Promise((resolve) => setTimeout(resolve, this.#latencyMs()))
    state.inFlight -= 1
    counts.lastAnswerAt = Date.now()
    const image = imageOf(body)
    if (operation === 'DetectLabels') this.answeredAt[image] = Date.now()
    const seen = chance(image)
    send(response, 200, operation === 'DetectLabels' ? this.#labels(seen < this.#load.carShare) : text(image))
  }

  #labels(hasCar: boolean): DetectLabelsResponse {
    return {
      Labels: [hasCar ? car : tree, ...otherLabels.slice(0, this.#load.moreLabels ?? 0)],
      LabelModelVersion: '3.0',
    }
  }

  #latencyMs(): number {
    const { medianMs, p99Ms } = this.#load
    const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
    return medianMs * Math.exp((Math.log(p99Ms / medianMs) / 2.326) * normal)
  }
}

const throttling = { __type: 'ProvisionedThroughputExceededException', message: 'Provisioned rate exceeded' }

const box = { Left: 0.1, Top: 0.2, Width: 0.5, Height: 0.4 }
const car = { Name: 'Car', Confidence: 98.5, Instances: [{ BoundingBox: box, Confidence: 98.5 }] }
const tree = { Name: 'Tree', Confidence: 97.1, Instances: [] }

/** With what Amazon sends beside a name, and with its many digits. */
const otherLabels = ['Machine', 'Wheel', 'Person', 'Road', 'City', 'Vehicle', 'Street', 'Building', 'Urban']
  .concat(['Metropolis', 'Neighborhood', 'License Plate', 'Alloy Wheel', 'Car Wheel', 'Spoke', 'Tire'])
  .map((Name, i) => ({
    Name,
    Confidence: Math.fround(96.3 - 2.7 * i),
    Instances: i % 3 === 1 ? [{ BoundingBox: box, Confidence: Math.fround(91.7 - i) }] : [],
    Parents: [{ Name: 'Transportation' }],
    Aliases: [],
    Categories: [{ Name: 'Vehicles and Automotive' }],
  }))

function text(image: string): DetectTextResponse {
  const DetectedText = createHash('md5').update(image).digest('hex').slice(0, 7).toUpperCase()
  const Polygon = [
    { X: 0.1, Y: 0.1 },
    { X: 0.4, Y: 0.1 },
    { X: 0.4, Y: 0.2 },
    { X: 0.1, Y: 0.2 },
  ]
  const line = { Type: 'LINE', Id: 0, DetectedText, Confidence: 99, Geometry: { Polygon } } as const
  return { TextDetections: [line], TextModelVersion: '3.0' }
}

/** The key, or the first bytes, of the image that a request is about. */
function imageOf(body: string): string {
  const { Image } = JSON.parse(body) as { Image?: { S3Object?: { Name?: string }; Bytes?: string } }
  return Image?.S3Object?.Name ?? (Image?.Bytes ?? '').slice(0, 64)
}

/** The same number in [0, 1) for the same image. */
export function chance(image: string): number {
  return createHash('md5').update(image).digest().readUInt32BE(0) / 2 ** 32
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
}
