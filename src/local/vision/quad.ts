import type { Point } from './answers.ts'

/** Four corners in pixels, clockwise from the text's own top left. */
export type Quad = [Point, Point, Point, Point]

/** A rectangle that may stand askew: extents along and across an axis of length 1. */
export interface TiltedRectangle {
  axis: Point
  along: Extent
  across: Extent
}

interface Extent {
  from: number
  to: number
}

/**
 * The rectangle of smallest area around points: one of its sides lies on a side of their convex hull.
 * Undefined when all points lie on a line.
 */
export function smallestRectangle(points: Point[]): TiltedRectangle | undefined {
  const hull = convexHull(points)
  let best: TiltedRectangle | undefined
  for (const [at, from] of hull.entries()) {
    const to = hull[(at + 1) % hull.length] ?? from
    const length = Math.hypot(to.x - from.x, to.y - from.y)
    if (length === 0) continue
    const candidate = rectangleAlong({ x: (to.x - from.x) / length, y: (to.y - from.y) / length }, hull)
    if (best === undefined || area(candidate) < area(best)) best = candidate
  }
  return best !== undefined && area(best) > 0 ? best : undefined
}

/** Andrew's monotone chain: lower side from left to right, then the upper one back. */
function convexHull(points: Point[]): Point[] {
  const sorted = points.toSorted((a, b) => a.x - b.x || a.y - b.y)
  return [...hullSide(sorted), ...hullSide(sorted.toReversed())]
}

function hullSide(sorted: Point[]): Point[] {
  const side: Point[] = []
  for (const point of sorted) {
    while (turnsWrong(side.at(-2), side.at(-1), point)) side.pop()
    side.push(point)
  }
  return side.slice(0, -1)
}

function turnsWrong(a: Point | undefined, b: Point | undefined, c: Point): boolean {
  if (a === undefined || b === undefined) return false
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x) <= 0
}

function rectangleAlong(axis: Point, points: Point[]): TiltedRectangle {
  return {
    axis,
    along: extent(points.map(({ x, y }) => x * axis.x + y * axis.y)),
    across: extent(points.map(({ x, y }) => y * axis.x - x * axis.y)),
  }
}

function extent(values: number[]): Extent {
  return { from: Math.min(...values), to: Math.max(...values) }
}

function area(rectangle: TiltedRectangle): number {
  return length(rectangle.along) * length(rectangle.across)
}

function length({ from, to }: Extent): number {
  return to - from
}

/** The shorter of the two sides. */
export function shortSide({ along, across }: TiltedRectangle): number {
  return Math.min(length(along), length(across))
}

/** Moves every side outwards by area × ratio ÷ perimeter (DB's "unclip": the model marks only a text's core). */
export function unclip(rectangle: TiltedRectangle, ratio: number): TiltedRectangle {
  const { axis, along, across } = rectangle
  const distance = (area(rectangle) * ratio) / (2 * (length(along) + length(across)))
  const grow = ({ from, to }: Extent) => ({ from: from - distance, to: to + distance })
  return { axis, along: grow(along), across: grow(across) }
}

/** The corners, so turned that the text runs from left to right along the side closest to the horizontal. */
export function corners({ axis, along, across }: TiltedRectangle): Quad {
  const at = (s: number, t: number): Point => ({ x: s * axis.x - t * axis.y, y: s * axis.y + t * axis.x })
  let quad: Quad = [
    at(along.from, across.from),
    at(along.to, across.from),
    at(along.to, across.to),
    at(along.from, across.to),
  ]
  while (slope(quad) > Math.PI / 4) quad = [quad[3], quad[0], quad[1], quad[2]]
  while (slope(quad) < -Math.PI / 4) quad = turnQuarter(quad)
  return quad
}

/** The same corners with the text running down what was the right side. */
export function turnQuarter([topLeft, topRight, bottomRight, bottomLeft]: Quad): Quad {
  return [topRight, bottomRight, bottomLeft, topLeft]
}

function slope([from, to]: Quad): number {
  return Math.atan2(to.y - from.y, to.x - from.x)
}

/** Length of the side that the text runs along, and of the one across it. */
export function quadSize([topLeft, topRight, , bottomLeft]: Quad): { width: number; height: number } {
  return {
    width: Math.hypot(topRight.x - topLeft.x, topRight.y - topLeft.y),
    height: Math.hypot(bottomLeft.x - topLeft.x, bottomLeft.y - topLeft.y),
  }
}

/** Moves every side inwards by a share of the quad's height. */
export function trimQuad(quad: Quad, share: number): Quad {
  const { width, height } = quadSize(quad)
  const alongText = (share * height) / width
  const [topLeft, topRight, bottomRight, bottomLeft] = sliceQuad(quad, alongText, 1 - alongText)
  return [
    between(topLeft, bottomLeft, share),
    between(topRight, bottomRight, share),
    between(topRight, bottomRight, 1 - share),
    between(topLeft, bottomLeft, 1 - share),
  ]
}

/** The part of a quad between two shares (0 to 1) of its length along the text. */
export function sliceQuad(
  [topLeft, topRight, bottomRight, bottomLeft]: Quad,
  from: number,
  to: number,
): Quad {
  return [
    between(topLeft, topRight, from),
    between(topLeft, topRight, to),
    between(bottomLeft, bottomRight, to),
    between(bottomLeft, bottomRight, from),
  ]
}

function between(a: Point, b: Point, share: number): Point {
  return { x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share }
}
