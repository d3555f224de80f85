import type { Box } from './answers.ts'

/**
 * Turns the model's box encodings into boxes: an SSD predicts shifts and stretches of fixed anchors.
 * @param encodings 4 per anchor: shift of the centre down, right; stretch of height, width
 * @param anchors 4 per anchor: top, left, bottom, right, shares of the picture
 */
export function decodeBox(encodings: Float32Array, anchors: Float32Array, anchor: number): Box {
  const [top = 0, left = 0, bottom = 0, right = 0] = anchors.subarray(4 * anchor, 4 * anchor + 4)
  const [down = 0, across = 0, taller = 0, wider = 0] = encodings.subarray(4 * anchor, 4 * anchor + 4)
  const height = bottom - top
  const width = right - left
  const centreY = top + height / 2 + down * CENTRE_SCALE * height
  const centreX = left + width / 2 + across * CENTRE_SCALE * width
  const halfHeight = (Math.exp(taller * SIZE_SCALE) * height) / 2
  const halfWidth = (Math.exp(wider * SIZE_SCALE) * width) / 2
  return clip(centreX - halfWidth, centreY - halfHeight, centreX + halfWidth, centreY + halfHeight)
}

/** The scales that the object detector was trained with. */
const CENTRE_SCALE = 0.1
const SIZE_SCALE = 0.2

function clip(left: number, top: number, right: number, bottom: number): Box {
  const box = { left: clamp(left), top: clamp(top) }
  return { ...box, width: clamp(right) - box.left, height: clamp(bottom) - box.top }
}

function clamp(share: number): number {
  return Math.min(1, Math.max(0, share))
}

/** Keeps the best of boxes that cover one another by more than `overlap` (intersection over union). */
export function suppressOverlaps<T extends { score: number; box: Box }>(found: T[], overlap: number): T[] {
  const kept: T[] = []
  for (const candidate of found.toSorted((a, b) => b.score - a.score)) {
    if (kept.every((better) => intersectionOverUnion(better.box, candidate.box) <= overlap))
      kept.push(candidate)
  }
  return kept
}

/** 0 (apart) to 1 (the same box). */
export function intersectionOverUnion(a: Box, b: Box): number {
  const shared = intersection(a, b)
  const union = a.width * a.height + b.width * b.height - shared
  return union > 0 ? shared / union : 0
}

/** The area that two boxes share. */
export function intersection(a: Box, b: Box): number {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left)
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top)
  return Math.max(0, width) * Math.max(0, height)
}
