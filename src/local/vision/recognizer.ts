import type { DetectedObject, TextLine } from './answers.ts'
import { ObjectDetector } from './object-detection.ts'
import { INPUT_SIZE } from './object-model.ts'
import { decodePicture, decodeToSize, resizePart } from './picture.ts'
import { TextReader } from './text-reading.ts'

/** One set of models and what can be asked of it; it answers one question at a time. */
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

  /** @throws {UndecodablePicture} */
  async objects(picture: Uint8Array): Promise<DetectedObject[]> {
    return await this.#objects.detect(await decodeToSize(picture, INPUT_SIZE))
  }

  /** @throws {UndecodablePicture} */
  async text(picture: Uint8Array): Promise<TextLine[]> {
    const pixels = await decodePicture(picture, LONGEST_SIDE)
    const whole = { left: 0, top: 0, width: pixels.width, height: pixels.height }
    const objects = await this.#objects.detect(await resizePart(pixels, whole, INPUT_SIZE))
    return await this.#text.read(pixels, objects)
  }
}

/** In pixels; larger pictures cost memory and show no more legible text. */
const LONGEST_SIDE = 4096
