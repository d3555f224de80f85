import type { Box, DetectedObject, TextLine } from './answers.ts'
import { suppressOverlaps } from './boxes.ts'
import { VEHICLES } from './coco-classes.ts'
import type { Part, Pixels } from './picture.ts'
import { type Quad, quadSize, turnQuarter } from './quad.ts'
import { inReadingOrder } from './reading-order.ts'
import { TextDetector } from './text-detection.ts'
import { boundingBox, dropRepeated, isLegible, type ReadLine, toTextLine } from './text-lines.ts'
import { TextRecognizer } from './text-recognition.ts'
import { cutStrip } from './text-strip.ts'

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
      const quad = alongText(found)
      lines.push({ quad, characters: await this.#recognizer.read(cutStrip(pixels, quad)) })
    }
    return lines.filter(isLegible)
  }
}

/** Tall quads hold text that was turned by a quarter. */
function alongText(quad: Quad): Quad {
  const { width, height } = quadSize(quad)
  return height >= width * TALL ? turnQuarter(quad) : quad
}

const TALL = 1.5

/** The largest vehicles with a margin, in pixels. One and the same vehicle is often both a car and a truck. */
function vehicleParts(objects: DetectedObject[], whole: Part): Part[] {
  const vehicles = objects
    .filter(({ name, confidence }) => VEHICLES.has(name) && confidence >= LOWEST_CONFIDENCE)
    .map(({ box }) => ({ box, score: box.width * box.height }))
  return suppressOverlaps(vehicles, LARGEST_OVERLAP)
    .slice(0, MOST_VEHICLES)
    .map(({ box }) => toPart(box, whole))
    .filter((part) => Math.min(part.width, part.height) >= SMALLEST_PART)
}

const LOWEST_CONFIDENCE = 70
const LARGEST_OVERLAP = 0.5
/** Each costs as much as the whole picture. */
const MOST_VEHICLES = 2
const MARGIN = 0.05
/** In pixels: nothing can be read in less. */
const SMALLEST_PART = 32

function toPart({ left, top, width, height }: Box, whole: Part): Part {
  const from = { x: left - MARGIN * width, y: top - MARGIN * height }
  const to = { x: left + width * (1 + MARGIN), y: top + height * (1 + MARGIN) }
  const pixel = (value: number, side: number) => Math.round(Math.min(1, Math.max(0, value)) * side)
  const start = { left: pixel(from.x, whole.width), top: pixel(from.y, whole.height) }
  return {
    ...start,
    width: pixel(to.x, whole.width) - start.left,
    height: pixel(to.y, whole.height) - start.top,
  }
}
