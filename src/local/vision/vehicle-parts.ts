import { nonMaxSuppression } from './boxes.ts'
import { VEHICLES } from './coco-classes.ts'
import type { Part } from './image.ts'
import type { Box, DetectedObject } from './results.ts'

/**
 * The parts of an image that are searched for text at higher resolution: its largest vehicles with a margin, in
 * pixels. The same vehicle is often detected as both a car and a truck; it is processed once.
 */
export function vehicleParts(objects: DetectedObject[], whole: Part): Part[] {
  const vehicles = objects
    .filter(({ name, confidence }) => VEHICLES.has(name) && confidence >= MIN_CONFIDENCE)
    .map(({ box }) => ({ box, score: box.width * box.height }))
  return nonMaxSuppression(vehicles, MAX_IOU)
    .slice(0, MAX_VEHICLES)
    .map(({ box }) => toPart(box, whole))
    .filter((part) => Math.min(part.width, part.height) >= MIN_PART_SIDE)
}

const MIN_CONFIDENCE = 70
const MAX_IOU = 0.5
/** Each costs as much as the whole image. */
const MAX_VEHICLES = 2
const MARGIN = 0.05
/** In pixels: no text is legible in smaller parts. */
const MIN_PART_SIDE = 32

function toPart({ left, top, width, height }: Box, whole: Part): Part {
  const from = { x: left - MARGIN * width, y: top - MARGIN * height }
  const to = { x: left + width * (1 + MARGIN), y: top + height * (1 + MARGIN) }
  const pixel = (value: number, side: number) => Math.round(Math.min(1, Math.max(0, value)) * side)
  const start = { left: pixel(from.x, whole.width), top: pixel(from.y, whole.height) }
  return {
    ...start,
    width: pixel(to.x, whole.width) - start.left,
    height: pixel(to.y, whole.height) - start.top,
  }
}
