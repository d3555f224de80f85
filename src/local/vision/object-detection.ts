import { InferenceSession, Tensor } from 'onnxruntime-node'
import { decodeBox, nonMaxSuppression } from './boxes.ts'
import { calibratedConfidence } from './calibration.ts'
import { className } from './coco-classes.ts'
import type { Pixels } from './image.ts'
import { SESSION_OPTIONS } from './inference.ts'
import { ANCHORS, CLASSES, loadObjectModel } from './object-model.ts'
import type { Box, DetectedObject } from './results.ts'

/** A detection before calibration; the raw score, 0 to 1, is uncalibrated and much too low. */
export interface RawObject {
  name: string
  score: number
  box: Box
}

/** Detects objects of the 80 COCO classes. */
export class ObjectDetector {
  readonly #session: InferenceSession
  readonly #anchors: Float32Array

  private constructor(session: InferenceSession, anchors: Float32Array) {
    this.#session = session
    this.#anchors = anchors
  }

  static async load(): Promise<ObjectDetector> {
    const { onnx, anchors } = await loadObjectModel()
    return new ObjectDetector(await InferenceSession.create(onnx, SESSION_OPTIONS), anchors)
  }

  /** @param pixels the whole image, resized to INPUT_SIZE */
  async detect(pixels: Pixels): Promise<DetectedObject[]> {
    const found = await this.detectRaw(pixels)
    return found.map(({ name, score, box }) => ({
      name,
      confidence: calibratedConfidence(name, score, box),
      box,
    }))
  }

  /** Detections before calibration: the input for fitting the calibration. */
  async detectRaw(pixels: Pixels): Promise<RawObject[]> {
    const image = new Tensor('uint8', pixels.data, [1, pixels.height, pixels.width, 3])
    const { scores, boxes } = await this.#session.run({ image })
    return this.#decode(scores?.data as Float32Array, boxes?.data as Float32Array)
  }

  #decode(scores: Float32Array, encodings: Float32Array): RawObject[] {
    const byClass = new Map<string, RawObject[]>()
    for (let at = 0; at < ANCHORS * CLASSES; at++) {
      const score = scores[at] ?? 0
      if (score < MIN_SCORE) continue
      const name = className(at % CLASSES)
      if (name === undefined) continue
      const box = decodeBox(encodings, this.#anchors, Math.floor(at / CLASSES))
      byClass.set(name, [...(byClass.get(name) ?? []), { name, score, box }])
    }
    return [...byClass.values()].flatMap((found) => nonMaxSuppression(found, MAX_IOU))
  }
}

/** Below this, the calibrated confidence is a few percent at most. */
const MIN_SCORE = 0.05
const MAX_IOU = 0.5
