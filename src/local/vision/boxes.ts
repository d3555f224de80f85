import type { Box } from './results.ts'

/**
 * Decodes the SSD head: the model predicts offsets and log-scales relative to fixed anchors.
 * @param encodings 4 per anchor: dy, dx (centre offset), dh, dw (log-scale of height and width)
 * @param anchors 4 per anchor: top, left, bottom, right, as fractions of the image
 */
export function decodeBox(encodings: Float32Array, anchors: Float32Array, anchor: number): Box {
  const [top = 0, left = 0, bottom = 0, right = 0] = anchors.subarray(4 * anchor, 4 * anchor + 4)
  const [dy = 0, dx = 0, dh = 0, dw = 0] = encodings.subarray(4 * anchor, 4 * anchor + 4)
  const height = bottom - top
  const width = right - left
  const centreY = top + height / 2 + dy * CENTRE_SCALE * height
  const centreX = left + width / 2 + dx * CENTRE_SCALE * width
  const halfHeight = (Math.exp(dh * SIZE_SCALE) * height) / 2
  const halfWidth = (Math.exp(dw * SIZE_SCALE) * width) / 2
  return clip(centreX - halfWidth, centreY - halfHeight, centreX + halfWidth, centreY + halfHeight)
}

/** Box coder scales that the object detector was trained with. */
const CENTRE_SCALE = 0.1
const SIZE_SCALE = 0.2

function clip(left: number, top: number, right: number, bottom: number): Box {
  const box = { left: clamp(left), top: clamp(top) }
  return { ...box, width: clamp(right) - box.left, height: clamp(bottom) - box.top }
}

function clamp(fraction: number): number {
  return Math.min(1, Math.max(0, fraction))
}

/** Non-maximum suppression: drops every box whose IoU with a higher-scoring box exceeds `maxIou`. */
export function nonMaxSuppression<T extends { score: number; box: Box }>(
  candidates: T[],
  maxIou: number,
): T[] {
  const kept: T[] = []
  for (const candidate of candidates.toSorted((a, b) => b.score - a.score)) {
    if (kept.every((better) => intersectionOverUnion(better.box, candidate.box) <= maxIou))
      kept.push(candidate)
  }
  return kept
}

/** IoU: 0 (disjoint) to 1 (identical). */
export function intersectionOverUnion(a: Box, b: Box): number {
  const shared = intersectionArea(a, b)
  const union = a.width * a.height + b.width * b.height - shared
  return union > 0 ? shared / union : 0
}

/** The area of the intersection of two boxes. */
export function intersectionArea(a: Box, b: Box): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left)
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top)
  return Math.max(0, width) * Math.max(0, height)
}
