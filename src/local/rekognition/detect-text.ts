import type { DetectTextResponse, TextDetection } from '@aws-sdk/client-rekognition'
import { readImage } from './image.ts'
import type { Call } from './operation.ts'
import { type Members, RequestShape } from './request-shape.ts'
import { detectionsOf } from './text-detections.ts'
import { passesWordFilters, readTextFilters } from './text-filters.ts'

/** The local model, not Amazon's: PP-OCRv4. */
const textModelVersion = 'imgpipe-ppocr-4.0'

/** https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DetectText.html */
export function detectText(request: Members): Call {
  const shape = new RequestShape()
  const image = readImage(shape, request)
  const filters = readTextFilters(shape, request)
  shape.check()
  return {
    image,
    maxSide: undefined,
    respond: async (bytes, vision) => {
      const lines = await vision.text(bytes)
      return textResponse(detectionsOf(lines, (word) => passesWordFilters(word, filters)))
    },
  }
}

function textResponse(detections: TextDetection[]) {
  return { TextDetections: detections, TextModelVersion: textModelVersion } satisfies DetectTextResponse
}
