/** Fractions of the image's width and height, origin top left, after EXIF rotation (as Rekognition's BoundingBox). */
export interface Box {
  left: number
  top: number
  width: number
  height: number
}

/** Fractions of the image's width and height, as in a Box. */
export interface Point {
  x: number
  y: number
}

/** One of the 80 COCO classes by Amazon's name ("Car", "Person", "Truck" …). */
export interface DetectedObject {
  name: string
  /** 0 to 100, calibrated: nine in ten of the boxes with confidence 90 are correct. */
  confidence: number
  box: Box
}

export interface TextWord {
  text: string
  /** 0 to 100. */
  confidence: number
  /** Four points, clockwise from the top left in reading direction. */
  polygon: Point[]
}

export interface TextLine extends TextWord {
  words: TextWord[]
}

/** The bytes are not an image, or the image is corrupt. */
export class UndecodableImage extends Error {
  override name = 'UndecodableImage'
}
