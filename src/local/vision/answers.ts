/** Shares of the picture's width and height, origin top left, after EXIF rotation (Rekognition's BoundingBox). */
export interface Box {
  left: number
  top: number
  width: number
  height: number
}

/** Shares of the picture's width and height, as in a Box. */
export interface Point {
  x: number
  y: number
}

/** One of the 80 COCO classes by Amazon's name ("Car", "Person", "Truck" …). */
export interface DetectedObject {
  name: string
  /** 0 to 100, calibrated: of the boxes that say 90, nine in ten are right. */
  confidence: number
  box: Box
}

export interface TextWord {
  text: string
  /** 0 to 100. */
  confidence: number
  /** Four points, clockwise from the text's own top left. */
  polygon: Point[]
}

export interface TextLine extends TextWord {
  words: TextWord[]
}

/** The bytes are no picture, or one that is damaged. */
export class UndecodablePicture extends Error {
  override name = 'UndecodablePicture'
}
