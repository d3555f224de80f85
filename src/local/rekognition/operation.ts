import type { Vision } from '../vision/vision.ts'
import type { ImageSource } from './image.ts'
import type { Members } from './request-shape.ts'

/** A validated request: what remains is to load its image and to analyse it. */
export interface Call {
  readonly image: ImageSource
  /** Maximum side length in pixels; undefined where Amazon documents no limit. */
  readonly maxSide: number | undefined
  respond(bytes: Uint8Array, vision: Vision): Promise<object>
}

/**
 * Parses a request of one of Rekognition's image operations. To add an operation, add a file like detect-labels.ts and
 * a line in service.ts.
 *
 * @throws {RekognitionError} SerializationException or InvalidParameterException
 */
export type Operation = (request: Members) => Call
