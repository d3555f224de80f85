import { InferenceSession, Tensor } from 'onnxruntime-node'
import { decodeCtc, type ReadCharacter } from './ctc.ts'
import type { Pixels } from './image.ts'
import { SESSION_OPTIONS } from './inference.ts'
import { MODEL_FILES, readModelFile } from './model-files.ts'
import { type Normalization, toBgrTensor } from './tensor.ts'

/** Reads a crop with one line of text (PP-OCRv4 recognition). */
export class TextRecognizer {
  readonly #session: InferenceSession
  readonly #characters: ReadonlyMap<number, string>

  private constructor(session: InferenceSession, characters: ReadonlyMap<number, string>) {
    this.#session = session
    this.#characters = characters
  }

  static async load(): Promise<TextRecognizer> {
    const [model, characters] = await Promise.all([
      readModelFile(MODEL_FILES.textRecognition),
      readModelFile(MODEL_FILES.textCharacters),
    ])
    const session = await InferenceSession.create(model, SESSION_OPTIONS)
    return new TextRecognizer(session, parseCharacters(characters.toString()))
  }

  /** @param crop CROP_HEIGHT pixels high; positions are fractions of its width */
  async read(crop: Pixels): Promise<ReadCharacter[]> {
    const width = Math.max(MIN_INPUT_WIDTH, crop.width)
    const input = new Tensor('float32', toBgrTensor(crop, CENTERED, width), [1, 3, crop.height, width])
    const outputs = await this.#session.run({ [this.#session.inputNames[0] ?? '']: input })
    const output = outputs[this.#session.outputNames[0] ?? '']
    const [, steps = 0, classes = 0] = output?.dims ?? []
    const read = decodeCtc(output?.data as Float32Array, steps, classes, this.#characters)
    return read.map((character) => ({ ...character, at: Math.min(1, (character.at * width) / crop.width) }))
  }
}

/** Narrower crops are padded on the right, as in training. */
const MIN_INPUT_WIDTH = 320
const CENTERED: Normalization = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] }

/**
 * One character per line; the model has one more class, the space. Class 0 is CTC's blank.
 * Most of the 6623 characters are Chinese, which Amazon's DetectText does not read: here they would only cause false
 * readings, for example of the seal on a plate. Full-width forms are normalized.
 */
function parseCharacters(file: string): ReadonlyMap<number, string> {
  const all = [...file.replace(/\n$/, '').split('\n'), ' '].map((character) => character.normalize('NFKC'))
  return new Map(all.map((character, at) => [at + 1, character] as const).filter(([, c]) => READABLE.test(c)))
}

/** Latin letters, digits and punctuation. */
const READABLE = /^[\p{Script=Latin}0-9\u0020-\u007e£€¥§°·•–—]+$/u
