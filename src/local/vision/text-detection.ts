import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type Part, type Pixels, resizePart } from './image.ts'
import { SESSION_OPTIONS } from './inference.ts'
import { MODEL_FILES, readModelFile } from './model-files.ts'
import type { Quad } from './quad.ts'
import { type Normalization, toBgrTensor } from './tensor.ts'
import { textRegions } from './text-regions.ts'

/** Locates text (PP-OCRv4 detection). */
export class TextDetector {
  readonly #session: InferenceSession

  private constructor(session: InferenceSession) {
    this.#session = session
  }

  static async load(): Promise<TextDetector> {
    const model = await readModelFile(MODEL_FILES.textDetection)
    return new TextDetector(await InferenceSession.create(model, SESSION_OPTIONS))
  }

  /**
   * Processes a part of the image, resized to LONG_SIDE: small text is found only when enlarged.
   * @returns quads in the whole image's pixels
   */
  async find(pixels: Pixels, part: Part): Promise<Quad[]> {
    const { width, height } = modelSize(part)
    const resized = await resizePart(pixels, part, { width, height, kernel: 'lanczos3' })
    const map = await this.#probabilities(resized)
    const toImage = ({ x, y }: { x: number; y: number }) => ({
      x: part.left + (x * part.width) / width,
      y: part.top + (y * part.height) / height,
    })
    return textRegions(map, width, height).map(([a, b, c, d]) => [
      toImage(a),
      toImage(b),
      toImage(c),
      toImage(d),
    ])
  }

  async #probabilities(pixels: Pixels): Promise<Float32Array> {
    const data = toBgrTensor(pixels, IMAGENET, pixels.width)
    const input = new Tensor('float32', data, [1, 3, pixels.height, pixels.width])
    const outputs = await this.#session.run({ [this.#session.inputNames[0] ?? '']: input })
    return outputs[this.#session.outputNames[0] ?? '']?.data as Float32Array
  }
}

const LONG_SIDE = 960
/** The network downsamples its input by two five times. */
const SIDE_STEP = 32
/** ImageNet's mean and std; PaddleOCR applies the RGB values to BGR channels unchanged. */
const IMAGENET: Normalization = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }

function modelSize({ width, height }: Part): { width: number; height: number } {
  const scale = LONG_SIDE / Math.max(width, height)
  const step = (side: number) => Math.max(SIDE_STEP, Math.round((side * scale) / SIDE_STEP) * SIDE_STEP)
  return { width: step(width), height: step(height) }
}
