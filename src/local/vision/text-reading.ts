import type { Box, DetectedObject, TextLine } from './answers.ts'
import type { Part, Pixels } from './picture.ts'
import { type Quad, quadSize, trimQuad, turnQuarter } from './quad.ts'
import { inReadingOrder } from './reading-order.ts'
import { TextDetector } from './text-detection.ts'
import {
  boundingBox,
  dropRepeated,
  isLegible,
  meanProbability,
  type ReadLine,
  surest,
  toTextLine,
} from './text-lines.ts'
import { TextRecognizer } from './text-recognition.ts'
import { cutStrip } from './text-strip.ts'
import { vehicleParts } from './vehicle-parts.ts'

/** Reads the text in a picture: first in its vehicles, enlarged, then in the whole of it. */
export class TextReader {
  readonly #detector: TextDetector
  readonly #recognizer: TextRecognizer

  private constructor(detector: TextDetector, recognizer: TextRecognizer) {
    this.#detector = detector
    this.#recognizer = recognizer
  }

  static async load(): Promise<TextReader> {
    return new TextReader(await TextDetector.load(), await TextRecognizer.load())
  }

  /** @returns lines in reading order */
  async read(pixels: Pixels, objects: DetectedObject[]): Promise<TextLine[]> {
    const whole: Part = { left: 0, top: 0, width: pixels.width, height: pixels.height }
    const lines: ReadLine[] = []
    for (const part of [...vehicleParts(objects, whole), whole])
      lines.push(...(await this.#readPart(pixels, part)))
    const ordered = inReadingOrder(dropRepeated(lines), ({ quad }) => boundingBox(quad))
    return ordered.map((line) => toTextLine(line, pixels.width, pixels.height))
  }

  async #readPart(pixels: Pixels, part: Part): Promise<ReadLine[]> {
    const lines: ReadLine[] = []
    for (const found of await this.#detector.find(pixels, part)) {
      if (isCutOff(boundingBox(found), part, pixels)) continue
      lines.push(await this.#readLine(pixels, alongText(found)))
    }
    return lines.filter(isLegible)
  }

  /** Reads within a tight frame, and once more in a wider one when the first reading is unsure. */
  async #readLine(pixels: Pixels, quad: Quad): Promise<ReadLine> {
    const tight = await this.#readFrame(pixels, trimQuad(quad, TIGHT))
    if (meanProbability(tight.characters) >= SURE) return tight
    return surest(tight, await this.#readFrame(pixels, trimQuad(quad, WIDER)))
  }

  async #readFrame(pixels: Pixels, quad: Quad): Promise<ReadLine> {
    return { quad, characters: await this.#recognizer.read(cutStrip(pixels, quad)) }
  }
}

/** Text that comes close to the edge of a part, where the picture goes on: the whole picture shows all of it. */
function isCutOff(text: Box, part: Part, picture: Pixels): boolean {
  const close = text.height / 4
  return (
    (part.left > 0 && text.left < part.left + close) ||
    (part.top > 0 && text.top < part.top + close) ||
    (part.left + part.width < picture.width && text.left + text.width > part.left + part.width - close) ||
    (part.top + part.height < picture.height && text.top + text.height > part.top + part.height - close)
  )
}

/**
 * Shares of a quad's height to cut off on every side. The fewer surroundings in the strip, the better plates are
 * read: of 84, 73 were read with the quads as they are, and 78 with these two frames.
 */
const TIGHT = 0.1
const WIDER = 0.05
/** A mean probability; of the lines above it the second reading improves none. */
const SURE = 0.95

/** Tall quads hold text that was turned by a quarter. */
function alongText(quad: Quad): Quad {
  const { width, height } = quadSize(quad)
  return height >= width * TALL ? turnQuarter(quad) : quad
}

const TALL = 1.5
