import type { Box, DetectedObject } from './answers.ts'
import { suppressOverlaps } from './boxes.ts'
import { VEHICLES } from './coco-classes.ts'
import type { Part } from './picture.ts'

/**
 * The parts of a picture where a closer look for text pays: its largest vehicles with a margin, in pixels.
 * One and the same vehicle is often found as a car and as a truck; it is looked at once.
 */
export function vehicleParts(objects: DetectedObject[], whole: Part): Part[] {
  const vehicles = objects
    .filter(({ name, confidence }) => VEHICLES.has(name) && confidence >= LOWEST_CONFIDENCE)
    .map(({ box }) => ({ box, score: box.width * box.height }))
  return suppressOverlaps(vehicles, LARGEST_OVERLAP)
    .slice(0, MOST_VEHICLES)
    .map(({ box }) => toPart(box, whole))
    .filter((part) => Math.min(part.width, part.height) >= SMALLEST_PART)
}

const LOWEST_CONFIDENCE = 70
const LARGEST_OVERLAP = 0.5
/** Each costs as much as the whole picture. */
const MOST_VEHICLES = 2
const MARGIN = 0.05
/** In pixels: nothing can be read in less. */
const SMALLEST_PART = 32

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
