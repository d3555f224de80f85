import type { Point } from './results.ts'

/** Four corners in pixels, clockwise from the top left in reading direction. */
export type Quad = [Point, Point, Point, Point]

/** A rotated rectangle: extents along and across a unit axis. */
export interface RotatedRect {
  axis: Point
  along: Extent
  across: Extent
}

interface Extent {
  from: number
  to: number
}

/**
 * The minimum-area enclosing rectangle: one of its sides is collinear with an edge of the convex hull.
 * Undefined when all points are collinear.
 */
export function minAreaRect(points: Point[]): RotatedRect | undefined {
  const hull = convexHull(points)
  let best: RotatedRect | undefined
  for (const [at, from] of hull.entries()) {
    const to = hull[(at + 1) % hull.length] ?? from
    const length = Math.hypot(to.x - from.x, to.y - from.y)
    if (length === 0) continue
    const candidate = boundingRectAlong({ x: (to.x - from.x) / length, y: (to.y - from.y) / length }, hull)
    if (best === undefined || area(candidate) < area(best)) best = candidate
  }
  return best !== undefined && area(best) > 0 ? best : undefined
}

/** Andrew's monotone chain: lower hull from left to right, then the upper hull back. */
function convexHull(points: Point[]): Point[] {
  const sorted = points.toSorted((a, b) => a.x - b.x || a.y - b.y)
  return [...halfHull(sorted), ...halfHull(sorted.toReversed())]
}

function halfHull(sorted: Point[]): Point[] {
  const side: Point[] = []
  for (const point of sorted) {
    while (isClockwise(side.at(-2), side.at(-1), point)) side.pop()
    side.push(point)
  }
  return side.slice(0, -1)
}

function isClockwise(a: Point | undefined, b: Point | undefined, c: Point): boolean {
  if (a === undefined || b === undefined) return false
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) <= 0
}

function boundingRectAlong(axis: Point, points: Point[]): RotatedRect {
  return {
    axis,
    along: extent(points.map(({ x, y }) => x * axis.x + y * axis.y)),
    across: extent(points.map(({ x, y }) => y * axis.x - x * axis.y)),
  }
}

function extent(values: number[]): Extent {
  return { from: Math.min(...values), to: Math.max(...values) }
}

function area(rectangle: RotatedRect): number {
  return length(rectangle.along) * length(rectangle.across)
}

function length({ from, to }: Extent): number {
  return to - from
}

/** The shorter of the two sides. */
export function shortSide({ along, across }: RotatedRect): number {
  return Math.min(length(along), length(across))
}

/** Moves every side outwards by area × ratio ÷ perimeter (DB's "unclip": the model marks only a text's core). */
export function unclip(rectangle: RotatedRect, ratio: number): RotatedRect {
  const { axis, along, across } = rectangle
  const distance = (area(rectangle) * ratio) / (2 * (length(along) + length(across)))
  const grow = ({ from, to }: Extent) => ({ from: from - distance, to: to + distance })
  return { axis, along: grow(along), across: grow(across) }
}

/** The corners, ordered so that the text runs left to right along the side closest to horizontal. */
export function corners({ axis, along, across }: RotatedRect): Quad {
  const at = (s: number, t: number): Point => ({ x: s * axis.x - t * axis.y, y: s * axis.y + t * axis.x })
  let quad: Quad = [
    at(along.from, across.from),
    at(along.to, across.from),
    at(along.to, across.to),
    at(along.from, across.to),
  ]
  while (slope(quad) > Math.PI / 4) quad = [quad[3], quad[0], quad[1], quad[2]]
  while (slope(quad) < -Math.PI / 4) quad = rotateQuarter(quad)
  return quad
}

/** Rotates the reading direction by 90°: the text runs down the former right side. */
export function rotateQuarter([topLeft, topRight, bottomRight, bottomLeft]: Quad): Quad {
  return [topRight, bottomRight, bottomLeft, topLeft]
}

function slope([from, to]: Quad): number {
  return Math.atan2(to.y - from.y, to.x - from.x)
}

/** Side lengths: width in reading direction, height across it. */
export function quadSize([topLeft, topRight, , bottomLeft]: Quad): { width: number; height: number } {
  return {
    width: Math.hypot(topRight.x - topLeft.x, topRight.y - topLeft.y),
    height: Math.hypot(bottomLeft.x - topLeft.x, bottomLeft.y - topLeft.y),
  }
}

/** Moves every side inwards by a fraction of the quad's height. */
export function insetQuad(quad: Quad, fraction: number): Quad {
  const { width, height } = quadSize(quad)
  const alongText = (fraction * height) / width
  const [topLeft, topRight, bottomRight, bottomLeft] = sliceQuad(quad, alongText, 1 - alongText)
  return [
    interpolate(topLeft, bottomLeft, fraction),
    interpolate(topRight, bottomRight, fraction),
    interpolate(topRight, bottomRight, 1 - fraction),
    interpolate(topLeft, bottomLeft, 1 - fraction),
  ]
}

/** The part of a quad between two fractions (0 to 1) of its width. */
export function sliceQuad(
  [topLeft, topRight, bottomRight, bottomLeft]: Quad,
  from: number,
  to: number,
): Quad {
  return [
    interpolate(topLeft, topRight, from),
    interpolate(topLeft, topRight, to),
    interpolate(bottomLeft, bottomRight, to),
    interpolate(bottomLeft, bottomRight, from),
  ]
}

function interpolate(a: Point, b: Point, t: number): Point {
  return { x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t }
}
