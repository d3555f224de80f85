import { InferenceSession, Tensor } from 'onnxruntime-node'
import { decodeCtc, type ReadCharacter } from './ctc.ts'
import { SESSION_OPTIONS } from './inference.ts'
import { MODEL_FILES, readModelFile } from './model-files.ts'
import type { Pixels } from './picture.ts'
import { type Scaling, toBgrPlanes } from './planes.ts'

/** Reads a strip with one line of text (PP-OCRv4 recognition). */
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

  /** @param strip STRIP_HEIGHT pixels high; places are shares of its width */
  async read(strip: Pixels): Promise<ReadCharacter[]> {
    const width = Math.max(NARROWEST_INPUT, strip.width)
    const input = new Tensor('float32', toBgrPlanes(strip, CENTRED, width), [1, 3, strip.height, width])
    const outputs = await this.#session.run({ [this.#session.inputNames[0] ?? '']: input })
    const output = outputs[this.#session.outputNames[0] ?? '']
    const [, steps = 0, classes = 0] = output?.dims ?? []
    const read = decodeCtc(output?.data as Float32Array, steps, classes, this.#characters)
    return read.map((character) => ({ ...character, at: Math.min(1, (character.at * width) / strip.width) }))
  }
}

/** Narrower strips are padded on the right: the model was trained so. */
const NARROWEST_INPUT = 320
const CENTRED: Scaling = { mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] }

/**
 * One character a line; the model knows one more, the space. Class 0 is CTC's blank.
 * Of its 6623 characters most are Chinese, which Amazon's DetectText does not read: here they would only be
 * what a seal between the letters is mistaken for. Full-width forms become the plain ones.
 */
function parseCharacters(file: string): ReadonlyMap<number, string> {
  const all = [...file.replace(/\n$/, '').split('\n'), ' '].map((character) => character.normalize('NFKC'))
  return new Map(all.map((character, at) => [at + 1, character] as const).filter(([, c]) => READABLE.test(c)))
}

/** Latin letters, digits and what stands between them. */
const READABLE = /^[\p{Script=Latin}0-9\u0020-\u007e£€¥§°·•–—]+$/u
