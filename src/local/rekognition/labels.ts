import type { Instance, Label } from '@aws-sdk/client-rekognition'
import type { DetectedObject } from '../vision/vision.ts'
import { labelKind } from './taxonomy.ts'

interface Named {
  Name: string
}

/** The SDK's Label, with all fields that the local cloud returns. */
export interface CompleteLabel extends Label {
  Name: string
  Confidence: number
  Instances: Instance[]
  Parents: Named[]
  Aliases: Named[]
  Categories: Named[]
}

/**
 * The labels of an image, by descending confidence: one per class, with an instance per object, and one per ancestor,
 * with the confidence of its most confident descendant.
 *
 * @param minConfidence percent, inclusive; for labels and instances alike
 */
export function labelsOf(objects: DetectedObject[], minConfidence: number): CompleteLabel[] {
  const labels = new Map<string, CompleteLabel>()
  for (const object of objects.toSorted((a, b) => b.confidence - a.confidence)) {
    if (object.confidence < minConfidence) break
    const label = labelNamed(object.name, object.confidence, labels)
    label.Instances.push(instanceOf(object))
    for (const { Name: parent } of label.Parents) labelNamed(parent, object.confidence, labels)
  }
  // The sort is stable: an object precedes its ancestors, which have the same confidence.
  return [...labels.values()].sort((a, b) => b.Confidence - a.Confidence)
}

/** Objects are sorted by descending confidence, so the first object of a label determines its confidence. */
function labelNamed(name: string, confidence: number, labels: Map<string, CompleteLabel>): CompleteLabel {
  const known = labels.get(name)
  if (known !== undefined) return known
  const { parents, aliases, categories } = labelKind(name)
  const label = {
    Name: name,
    Confidence: confidence,
    Instances: [],
    Parents: parents.map(named),
    Aliases: aliases.map(named),
    Categories: categories.map(named),
  }
  labels.set(name, label)
  return label
}

function named(name: string): Named {
  return { Name: name }
}

function instanceOf({ box, confidence }: DetectedObject) {
  const { width, height, left, top } = box
  return {
    BoundingBox: { Width: width, Height: height, Left: left, Top: top },
    Confidence: confidence,
  } satisfies Instance
}
