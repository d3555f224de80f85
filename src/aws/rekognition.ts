import {
  DetectLabelsCommand,
  DetectTextCommand,
  type Image,
  type Label,
  type RekognitionClient,
  type TextDetection,
} from '@aws-sdk/client-rekognition'
import type { BoxTuple } from '../protocol/messages.ts'
import type { TextLine } from '../protocol/outcomes.ts'
import { incompleteAnswer, toFailure } from './errors.ts'

/** Rekognition takes so many bytes in the request itself (its limits page: 5 MB, enforced as 5 MiB). */
export const maxInlineBytes = 5 * 1024 * 1024
/**
 * What Rekognition takes by reference (its limits page: 15 MB). For explanations only: no image is refused because of it,
 * the service decides.
 */
export const maxObjectBytes = 15 * 1024 * 1024

/** Not an image: whoever may call gets InvalidImageFormatException, which is not billed. */
export const notAnImage: Uint8Array = new Uint8Array([0])

/** The image of a request: its bytes, or a reference to S3. */
export type ImageSource = { readonly bytes: Uint8Array } | { readonly bucket: string; readonly key: string }

/** One label of an image, with the boxes of its instances. Confidence 0 to 100. */
export interface DetectedLabel {
  readonly name: string
  readonly confidence: number
  readonly boxes: readonly BoxTuple[]
}

export interface LabelsAnswer {
  /** the model's version */
  readonly model: string
  readonly labels: readonly DetectedLabel[]
}

export interface TextAnswer {
  /** the model's version */
  readonly model: string
  readonly lines: readonly TextLine[]
}

/**
 * Asks for the labels of an image, once.
 *
 * @param minConfidence inclusive
 * @param signal aborts the request
 * @throws {AwsError} {ShutdownError}
 */
export async function detectLabels(
  client: RekognitionClient,
  image: ImageSource,
  minConfidence: number,
  signal: AbortSignal,
): Promise<LabelsAnswer> {
  const context = { service: 'rekognition', operation: 'DetectLabels', forced: signal } as const
  const command = new DetectLabelsCommand({ Image: requestImage(image), MinConfidence: minConfidence })
  const answer = await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
    throw toFailure(error, context)
  })
  const { Labels, LabelModelVersion } = answer
  if (!Labels || LabelModelVersion === undefined) throw incompleteAnswer(context, noLabels)
  return { model: LabelModelVersion, labels: Labels.map(detectedLabel) }
}

/**
 * Asks for the text of an image, once.
 *
 * @returns all LINE detections, however uncertain; words would only repeat them
 * @throws {AwsError} {ShutdownError}
 */
export async function detectText(
  client: RekognitionClient,
  image: ImageSource,
  signal: AbortSignal,
): Promise<TextAnswer> {
  const context = { service: 'rekognition', operation: 'DetectText', forced: signal } as const
  // The documents disagree about the default of MinConfidence.
  const Filters = { WordFilter: { MinConfidence: 0 } }
  const command = new DetectTextCommand({ Image: requestImage(image), Filters })
  const answer = await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
    throw toFailure(error, context)
  })
  const { TextDetections, TextModelVersion } = answer
  if (!TextDetections || TextModelVersion === undefined) throw incompleteAnswer(context, noText)
  return { model: TextModelVersion, lines: TextDetections.flatMap(textLine) }
}

const noLabels = 'the answer has no labels or no model version: it is not from Amazon Rekognition'
const noText = 'the answer has no text detections or no model version: it is not from Amazon Rekognition'

/** Whether an answer of DetectLabels or DetectText has the fields that each of them has, whatever the image shows. */
export function isCompleteAnswer(output: object): boolean {
  const has = (name: string) => name in output && output[name as keyof typeof output] !== undefined
  return (has('Labels') && has('LabelModelVersion')) || (has('TextDetections') && has('TextModelVersion'))
}

function requestImage(image: ImageSource): Image {
  return 'bytes' in image ? { Bytes: image.bytes } : { S3Object: { Bucket: image.bucket, Name: image.key } }
}

function detectedLabel({ Name = '', Confidence = 0, Instances = [] }: Label): DetectedLabel {
  const boxes = Instances.flatMap(({ BoundingBox: box }) =>
    box ? [[rounded(box.Left), rounded(box.Top), rounded(box.Width), rounded(box.Height)] as const] : [],
  )
  return { name: Name, confidence: Confidence, boxes }
}

function textLine({ Type, DetectedText = '', Confidence = 0, Geometry }: TextDetection): TextLine[] {
  if (Type !== 'LINE' || DetectedText.trim() === '') return []
  const polygon = (Geometry?.Polygon ?? []).map(({ X = 0, Y = 0 }) => [rounded(X), rounded(Y)] as const)
  return [{ text: DetectedText, confidence: Confidence, polygon }]
}

/** Four decimals: a hundredth of a percent of the image, and short enough for a message attribute. */
function rounded(number = 0): number {
  return Math.round(number * 10_000) / 10_000
}
