import type { Pixels } from './image.ts'
import { type Quad, quadSize } from './quad.ts'
import type { Point } from './results.ts'

/** Input height of the recognition model, in pixels. */
export const CROP_HEIGHT = 48

/** Warps a quad into an upright crop of CROP_HEIGHT, with bilinear interpolation. */
export function warpCrop(pixels: Pixels, quad: Quad): Pixels {
  const { width, height } = quadSize(quad)
  const cropWidth = Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, Math.round((CROP_HEIGHT * width) / height)))
  const data = Buffer.alloc(cropWidth * CROP_HEIGHT * 3)
  const right = step(quad[0], quad[1], cropWidth)
  const down = step(quad[0], quad[3], CROP_HEIGHT)
  for (let y = 0; y < CROP_HEIGHT; y++) {
    for (let x = 0; x < cropWidth; x++) {
      const sourceX = quad[0].x + right.x * (x + 0.5) + down.x * (y + 0.5) - 0.5
      const sourceY = quad[0].y + right.y * (x + 0.5) + down.y * (y + 0.5) - 0.5
      samplePixel(pixels, sourceX, sourceY, data, (y * cropWidth + x) * 3)
    }
  }
  return { data, width: cropWidth, height: CROP_HEIGHT }
}

const MIN_WIDTH = 8
const MAX_WIDTH = 1200

function step(from: Point, to: Point, steps: number): Point {
  return { x: (to.x - from.x) / steps, y: (to.y - from.y) / steps }
}

/** Bilinear; coordinates outside the image are clamped to its edge. */
function samplePixel({ data, width, height }: Pixels, x: number, y: number, into: Buffer, at: number): void {
  const clampedX = Math.min(width - 1, Math.max(0, x))
  const clampedY = Math.min(height - 1, Math.max(0, y))
  const left = Math.max(0, Math.min(width - 2, Math.floor(clampedX)))
  const top = Math.max(0, Math.min(height - 2, Math.floor(clampedY)))
  const fractionX = clampedX - left
  const fractionY = clampedY - top
  const upper = (top * width + left) * 3
  const lower = upper + width * 3
  for (let channel = 0; channel < 3; channel++) {
    const above = interpolate(data[upper + channel] ?? 0, data[upper + channel + 3] ?? 0, fractionX)
    const below = interpolate(data[lower + channel] ?? 0, data[lower + channel + 3] ?? 0, fractionX)
    into[at + channel] = interpolate(above, below, fractionY)
  }
}

function interpolate(a: number, b: number, t: number): number {
  return a + (b - a) * t
}
