import {
  DetectLabelsCommand,
  DetectTextCommand,
  type Image,
  type Label,
  type RekognitionClient,
} from '@aws-sdk/client-rekognition'
import type { BoxTuple } from '../protocol/messages.ts'
import type { TextLine } from '../protocol/outcomes.ts'
import { PacedCalls, type PacedCallsOptions } from './paced-calls.ts'

/** Rekognition takes so many bytes in the request itself (limits page: 5 MiB); an S3Object may have 15 MB. */
export const mostInlineBytes = 5 * 1024 * 1024
export const mostObjectBytes = 15 * 1000 * 1000

/** The picture of a request: a reference to S3, or its bytes. */
export type PictureSource =
  | { readonly kind: 'object'; readonly bucket: string; readonly key: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }

/** What DetectLabels says of one label. Confidence 0 to 100. */
export interface LabelFinding {
  readonly name: string
  readonly confidence: number
  readonly boxes: readonly BoxTuple[]
}

/** One of Rekognition's operations, paced; every call throws `Fault` or `Stopped`. */
class Detection {
  readonly calls: PacedCalls
  protected readonly client: RekognitionClient

  constructor(client: RekognitionClient, options: PacedCallsOptions) {
    this.client = client
    this.calls = new PacedCalls(options)
  }
}

export class LabelDetection extends Detection {
  /** @param minConfidence inclusive, as Rekognition has it: the caller decides what is strictly more */
  async detect(picture: PictureSource, minConfidence: number): Promise<LabelFinding[]> {
    const command = new DetectLabelsCommand({ Image: imageOf(picture), MinConfidence: minConfidence })
    const { Labels = [] } = await this.calls.call((abortSignal) => this.client.send(command, { abortSignal }))
    return Labels.map(toFinding)
  }
}

export class TextDetection extends Detection {
  /** @returns the LINE detections with at least `minConfidence`; words would only repeat them */
  async detect(picture: PictureSource, minConfidence: number): Promise<TextLine[]> {
    // Set, because its default is documented both as 80 and as 0; words are not what is filtered here.
    const Filters = { WordFilter: { MinConfidence: 0 } }
    const command = new DetectTextCommand({ Image: imageOf(picture), Filters })
    const answer = await this.calls.call((abortSignal) => this.client.send(command, { abortSignal }))
    return (answer.TextDetections ?? []).flatMap(({ Type, DetectedText = '', Confidence = 0, Geometry }) => {
      if (Type !== 'LINE' || DetectedText.trim() === '' || Confidence < minConfidence) return []
      const polygon = (Geometry?.Polygon ?? []).map(({ X = 0, Y = 0 }) => [rounded(X), rounded(Y)] as const)
      return [{ text: DetectedText, confidence: rounded(Confidence), polygon }]
    })
  }
}

function imageOf(picture: PictureSource): Image {
  return picture.kind === 'bytes'
    ? { Bytes: picture.bytes }
    : { S3Object: { Bucket: picture.bucket, Name: picture.key } }
}

function toFinding({ Name = '', Confidence = 0, Instances = [] }: Label): LabelFinding {
  const boxes = Instances.flatMap(({ BoundingBox: box }) =>
    box ? [[rounded(box.Left), rounded(box.Top), rounded(box.Width), rounded(box.Height)] as const] : [],
  )
  return { name: Name, confidence: Confidence, boxes }
}

/** Four digits: a hundredth of a percent of the picture, and short enough for a message attribute. */
function rounded(number = 0): number {
  return Math.round(number * 10_000) / 10_000
}
