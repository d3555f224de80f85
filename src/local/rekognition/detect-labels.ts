import type { DetectLabelsResponse } from '@aws-sdk/client-rekognition'
import { invalidParameter } from './errors.ts'
import { readImage } from './image.ts'
import { passesFilters, readLabelFilters } from './label-filters.ts'
import { type CompleteLabel, labelsOf } from './labels.ts'
import type { Call } from './operation.ts'
import { type Members, RequestShape } from './request-shape.ts'

const defaultMinConfidence = 55
const maxLabelsTotal = 1000
/** Pixels. */
const maxSide = 10_000
/** The local model, not Amazon's: ssdlite_mobilenet_v2 on COCO, calibrated. */
const labelModelVersion = 'imgpipe-coco-1.0'

/** https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DetectLabels.html */
export function detectLabels(request: Members): Call {
  const shape = new RequestShape()
  const image = readImage(shape, request)
  const maxLabels = shape.integer(request, 'MaxLabels', { min: 0, max: 2 ** 31 - 1 }) ?? maxLabelsTotal
  const minConfidence = shape.number(request, 'MinConfidence', { min: 0, max: 100 }) ?? defaultMinConfidence
  const filters = readLabelFilters(shape, request)
  const features = readFeatures(shape, request)
  shape.check()
  if (features.includes('IMAGE_PROPERTIES')) {
    throw invalidParameter('the local cloud does not support IMAGE_PROPERTIES; request GENERAL_LABELS only.')
  }
  return {
    image,
    maxSide,
    respond: async (bytes, vision) => {
      const labels = labelsOf(await vision.objects(bytes), minConfidence)
      return labelsResponse(
        labels.filter((label) => passesFilters(label, filters)).slice(0, Math.min(maxLabels, maxLabelsTotal)),
      )
    },
  }
}

function readFeatures(shape: RequestShape, request: Members): string[] {
  const known = ['GENERAL_LABELS', 'IMAGE_PROPERTIES']
  const features = shape.list(request, 'Features', { max: known.length }, (value, name) => {
    const feature = shape.text({ [name]: value }, name) ?? ''
    if (!known.includes(feature))
      shape.violation(name, feature, `satisfy enum value set: [${known.join(', ')}]`)
    return feature
  })
  return features ?? []
}

function labelsResponse(labels: CompleteLabel[]) {
  return { Labels: labels, LabelModelVersion: labelModelVersion } satisfies DetectLabelsResponse
}
