import { InferenceSession, Tensor } from 'onnxruntime-node'
import { decodeCtc, type ReadCharacter } from './ctc.ts'
import { SESSION_OPTIONS } from './inference.ts'
import { readModelFile } from './model-files.ts'
import type { Pixels } from './picture.ts'
import { type Scaling, toBgrPlanes } from './planes.ts'

/** Reads a strip with one line of text (PP-OCRv4 recognition). */
export class TextRecognizer {
  readonly #session: InferenceSession
  readonly #characters: string[]

  private constructor(session: InferenceSession, characters: string[]) {
    this.#session = session
    this.#characters = characters
  }

  static async load(): Promise<TextRecognizer> {
    const [model, characters] = await Promise.all([
      readModelFile('textRecognition'),
      readModelFile('textCharacters'),
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

/** One character a line; the model knows one more, the space. */
function parseCharacters(file: string): string[] {
  return [...file.replace(/\n$/, '').split('\n'), ' ']
}
