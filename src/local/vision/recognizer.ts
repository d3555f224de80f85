import { decodeImage, decodeToSize, resizePart } from './image.ts'
import { ObjectDetector } from './object-detection.ts'
import { INPUT_SIZE } from './object-model.ts'
import type { DetectedObject, TextLine } from './results.ts'
import { TextReader } from './text-reading.ts'

/** One set of models; it processes one request at a time. */
export class Recognizer {
  readonly #objects: ObjectDetector
  readonly #text: TextReader

  private constructor(objects: ObjectDetector, text: TextReader) {
    this.#objects = objects
    this.#text = text
  }

  static async load(): Promise<Recognizer> {
    return new Recognizer(await ObjectDetector.load(), await TextReader.load())
  }

  /** @throws {UndecodableImage} */
  async objects(image: Uint8Array): Promise<DetectedObject[]> {
    return await this.#objects.detect(await decodeToSize(image, INPUT_SIZE))
  }

  /** @throws {UndecodableImage} */
  async text(image: Uint8Array): Promise<TextLine[]> {
    const pixels = await decodeImage(image, MAX_SIDE)
    const whole = { left: 0, top: 0, width: pixels.width, height: pixels.height }
    const objects = await this.#objects.detect(await resizePart(pixels, whole, INPUT_SIZE))
    return await this.#text.read(pixels, objects)
  }
}

/** In pixels; larger images cost memory without more legible text. */
const MAX_SIDE = 4096
