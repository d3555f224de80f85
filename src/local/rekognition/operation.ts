import type { Vision } from '../vision/vision.ts'
import type { ImageSource } from './image.ts'
import type { Members } from './request-shape.ts'

/** A request that has been read and found right: what is left is to fetch its picture and to look at it. */
export interface Call {
  readonly image: ImageSource
  /** The most pixels that a side may have; undefined where Amazon names no limit. */
  readonly maxSide: number | undefined
  answer(picture: Uint8Array, vision: Vision): Promise<object>
}

/**
 * One of Rekognition's operations on a picture. A further one is a file like detect-labels.ts and a line in
 * service.ts.
 *
 * @throws {RekognitionError} SerializationException or InvalidParameterException
 */
export type Operation = (request: Members) => Call
