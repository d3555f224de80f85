import { corners, minAreaRect, type Quad, shortSide, unclip } from './quad.ts'
import type { Point } from './results.ts'

/**
 * Extracts text lines from a probability map (DB post-processing, with rectangles instead of polygons):
 * connected components above a threshold, their minimum-area rectangles, unclipped to the text's full size.
 * @param map one probability per pixel, row by row
 * @returns quads in the map's pixels
 */
export function textRegions(map: Float32Array, width: number, height: number): Quad[] {
  const seen = new Uint8Array(map.length)
  const quads: Quad[] = []
  for (let start = 0; start < map.length; start++) {
    if (seen[start] === 1 || (map[start] ?? 0) <= PIXEL_THRESHOLD) continue
    const quad = toQuad(collectRegion(map, width, height, seen, start))
    if (quad !== undefined) quads.push(quad)
  }
  return quads
}

const PIXEL_THRESHOLD = 0.3
const MEAN_THRESHOLD = 0.5
const MIN_PIXELS = 12
const MIN_SIDE = 3
const UNCLIP_RATIO = 1.6

interface Region {
  pixels: number
  sum: number
  /** Leftmost and rightmost pixel of each row: sufficient for the convex hull. */
  rows: Map<number, [number, number]>
}

function collectRegion(
  map: Float32Array,
  width: number,
  height: number,
  seen: Uint8Array,
  start: number,
): Region {
  const region: Region = { pixels: 0, sum: 0, rows: new Map() }
  const open = [start]
  seen[start] = 1
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    const x = at % width
    const y = (at - x) / width
    addPixel(region, x, y, map[at] ?? 0)
    for (let nextY = Math.max(0, y - 1); nextY <= Math.min(height - 1, y + 1); nextY++) {
      for (let nextX = Math.max(0, x - 1); nextX <= Math.min(width - 1, x + 1); nextX++) {
        const next = nextY * width + nextX
        if (seen[next] === 1 || (map[next] ?? 0) <= PIXEL_THRESHOLD) continue
        seen[next] = 1
        open.push(next)
      }
    }
  }
  return region
}

function addPixel(region: Region, x: number, y: number, probability: number): void {
  region.pixels++
  region.sum += probability
  const row = region.rows.get(y)
  if (row === undefined) region.rows.set(y, [x, x])
  else region.rows.set(y, [Math.min(row[0], x), Math.max(row[1], x)])
}

function toQuad({ pixels, sum, rows }: Region): Quad | undefined {
  if (pixels < MIN_PIXELS || sum / pixels < MEAN_THRESHOLD) return undefined
  const rectangle = minAreaRect([...rows].flatMap(pixelCorners))
  if (rectangle === undefined || shortSide(rectangle) < MIN_SIDE) return undefined
  return corners(unclip(rectangle, UNCLIP_RATIO))
}

function pixelCorners([y, [left, right]]: [number, [number, number]]): Point[] {
  return [
    { x: left, y },
    { x: right + 1, y },
    { x: left, y: y + 1 },
    { x: right + 1, y: y + 1 },
  ]
}
