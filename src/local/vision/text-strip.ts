import type { Point } from './answers.ts'
import type { Pixels } from './picture.ts'
import { type Quad, quadSize } from './quad.ts'

/** The height of the strips that the recognition model reads, in pixels. */
export const STRIP_HEIGHT = 48

/** Cuts a quad out of a picture and lays it straight: a strip of STRIP_HEIGHT, sampled between pixels. */
export function cutStrip(pixels: Pixels, quad: Quad): Pixels {
  const { width, height } = quadSize(quad)
  const stripWidth = Math.max(NARROWEST, Math.min(WIDEST, Math.round((STRIP_HEIGHT * width) / height)))
  const data = Buffer.alloc(stripWidth * STRIP_HEIGHT * 3)
  const right = step(quad[0], quad[1], stripWidth)
  const down = step(quad[0], quad[3], STRIP_HEIGHT)
  for (let y = 0; y < STRIP_HEIGHT; y++) {
    for (let x = 0; x < stripWidth; x++) {
      const sourceX = quad[0].x + right.x * (x + 0.5) + down.x * (y + 0.5) - 0.5
      const sourceY = quad[0].y + right.y * (x + 0.5) + down.y * (y + 0.5) - 0.5
      samplePixel(pixels, sourceX, sourceY, data, (y * stripWidth + x) * 3)
    }
  }
  return { data, width: stripWidth, height: STRIP_HEIGHT }
}

const NARROWEST = 8
const WIDEST = 1200

function step(from: Point, to: Point, steps: number): Point {
  return { x: (to.x - from.x) / steps, y: (to.y - from.y) / steps }
}

/** Bilinear; beyond the picture's edge its last pixels go on. */
function samplePixel({ data, width, height }: Pixels, x: number, y: number, into: Buffer, at: number): void {
  const clampedX = Math.min(width - 1, Math.max(0, x))
  const clampedY = Math.min(height - 1, Math.max(0, y))
  const left = Math.max(0, Math.min(width - 2, Math.floor(clampedX)))
  const top = Math.max(0, Math.min(height - 2, Math.floor(clampedY)))
  const shareX = clampedX - left
  const shareY = clampedY - top
  const upper = (top * width + left) * 3
  const lower = upper + width * 3
  for (let channel = 0; channel < 3; channel++) {
    const above = mix(data[upper + channel] ?? 0, data[upper + channel + 3] ?? 0, shareX)
    const below = mix(data[lower + channel] ?? 0, data[lower + channel + 3] ?? 0, shareX)
    into[at + channel] = mix(above, below, shareY)
  }
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share
}
