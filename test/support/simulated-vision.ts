import { crc32, deflateSync } from 'node:zlib'
import type { DetectedObject, Point, TextLine, Vision } from '../../src/local/vision/vision.ts'
import type { AwsRequest } from './aws-request.ts'

/** What is to be seen in a simulated image. */
export interface Sight {
  /** the image's key */
  readonly id: string
  readonly objects: readonly { readonly name: string; readonly confidence: number }[]
  readonly lines: readonly string[]
}

const marker = 'sight\0'
const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const side = 80

/**
 * A real PNG, 80 × 80 and white, whose text chunk says what the simulated vision is to see in it: so the
 * verdict depends on the image's bytes alone, as a real one does.
 *
 * @param padding bytes that make the file larger
 */
export function simulatedImage(sight: Sight, padding = 0): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  // One bit a pixel, grey.
  header[8] = 1
  const rows = Buffer.alloc(side * (1 + side / 8), 0xff)
  for (let row = 0; row < side; row++) rows[row * (1 + side / 8)] = 0
  const said = saying(sight)
  return Buffer.concat([
    pngSignature,
    chunk('IHDR', header),
    chunk('tEXt', said),
    ...(padding > 0 ? [chunk('tEXt', Buffer.alloc(padding, 'padding\0'))] : []),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const typeAndData = Buffer.concat([Buffer.from(type), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(typeAndData))
  return Buffer.concat([length, typeAndData, check])
}

/** Says in the comment of a JPEG that was made elsewhere what is to be seen in it. */
export function jpegShowing(jpeg: Uint8Array, sight: Sight): Buffer {
  const said = saying(sight)
  const comment = Buffer.from([0xff, 0xfe, 0, 0])
  comment.writeUInt16BE(said.length + 2, 2)
  return Buffer.concat([jpeg.subarray(0, 2), comment, said, jpeg.subarray(2)])
}

/** The full stop tells where it ends: what follows may look like more of it. */
function saying(sight: Sight): Buffer {
  return Buffer.from(`${marker}${Buffer.from(JSON.stringify(sight)).toString('base64')}.`)
}

/** @returns what an image shows; nothing for one that was not made here */
export function sightIn(image: Uint8Array): Sight {
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength)
  const said = /sight\0([A-Za-z0-9+/=]+)\./.exec(bytes.toString('latin1', 0, 64 * 1024))?.[1]
  return said ? JSON.parse(Buffer.from(said, 'base64').toString()) : { id: '', objects: [], lines: [] }
}

/** @returns the look that a Rekognition call asks for, as `looks` names it; undefined for any other request */
export function lookOf({ service, operation, body }: AwsRequest): string | undefined {
  if (service !== 'rekognition') return undefined
  const { Image = {} }: { Image?: { Bytes?: string; S3Object?: { Name: string } } } = JSON.parse(
    body.toString(),
  )
  const id = Image.S3Object?.Name ?? sightIn(Buffer.from(Image.Bytes ?? '', 'base64')).id
  return `${operation === 'DetectLabels' ? 'objects' : 'text'} ${id}`
}

/** Recognition that reads what an image says of itself, and counts how often each image was looked at. */
export class SimulatedVision implements Vision {
  /** `objects KEY` or `text KEY` → how often */
  readonly looks = new Map<string, number>()
  readonly #latency: () => Promise<void>

  /** @param latency how long a look takes */
  constructor(latency: () => Promise<void> = async () => undefined) {
    this.#latency = latency
  }

  get total(): number {
    return [...this.looks.values()].reduce((sum, count) => sum + count, 0)
  }

  async objects(image: Uint8Array): Promise<DetectedObject[]> {
    const sight = await this.#look('objects', image)
    const box = { left: 0.1, top: 0.1, width: 0.5, height: 0.5 }
    return sight.objects.map(({ name, confidence }) => ({ name, confidence, box }))
  }

  async text(image: Uint8Array): Promise<TextLine[]> {
    const sight = await this.#look('text', image)
    return sight.lines.map(lineAt)
  }

  async close(): Promise<void> {}

  async #look(kind: 'objects' | 'text', image: Uint8Array): Promise<Sight> {
    const sight = sightIn(image)
    const name = `${kind} ${sight.id}`
    this.looks.set(name, (this.looks.get(name) ?? 0) + 1)
    await this.#latency()
    return sight
  }
}

function lineAt(text: string, place: number): TextLine {
  const [confidence, polygon] = [99, stripe(place)]
  const words = text.split(' ').map((word) => ({ text: word, confidence, polygon }))
  return { text, confidence, polygon, words }
}

/** Lines lie one below the other. */
function stripe(place: number): Point[] {
  const [top, bottom] = [place / 100, (place + 0.5) / 100]
  return [
    { x: 0.1, y: top },
    { x: 0.9, y: top },
    { x: 0.9, y: bottom },
    { x: 0.1, y: bottom },
  ]
}
