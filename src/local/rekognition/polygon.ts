import type { Point } from '../vision/vision.ts'

/** The area of a polygon, in whatever units its points have; its direction does not matter. */
export function area(polygon: Point[]): number {
  return Math.abs(signedArea(polygon))
}

/** Positive for a polygon that runs clockwise where y points down, as in pictures. */
function signedArea(polygon: Point[]): number {
  return edges(polygon).reduce((sum, [from, to]) => sum + from.x * to.y - to.x * from.y, 0) / 2
}

/**
 * The part of `polygon`, of any shape, that lies within `convex` (Sutherland and Hodgman's clipping).
 * Parts that do not touch stay joined by edges without area.
 */
export function clip(polygon: Point[], convex: Point[]): Point[] {
  const turn = Math.sign(signedArea(convex))
  return edges(convex).reduce((rest, edge) => clipByEdge(rest, edge, turn), polygon)
}

function clipByEdge(polygon: Point[], [from, to]: Edge, turn: number): Point[] {
  const side = ({ x, y }: Point) => turn * ((to.x - from.x) * (y - from.y) - (to.y - from.y) * (x - from.x))
  return edges(polygon).flatMap(([start, end]) => {
    const [atStart, atEnd] = [side(start), side(end)]
    const crossing = atStart * atEnd < 0 ? [between(start, end, atStart / (atStart - atEnd))] : []
    return atEnd >= 0 ? [...crossing, end] : crossing
  })
}

function between(start: Point, end: Point, share: number): Point {
  return { x: start.x + share * (end.x - start.x), y: start.y + share * (end.y - start.y) }
}

type Edge = [from: Point, to: Point]

function edges(polygon: Point[]): Edge[] {
  return polygon.map((from, at) => [from, polygon[(at + 1) % polygon.length] ?? from])
}

/** The smallest box along the picture's sides that holds the polygon. */
export function boundingBox(polygon: Point[]) {
  const xs = polygon.map(({ x }) => x)
  const ys = polygon.map(({ y }) => y)
  const [left, top] = [Math.min(...xs), Math.min(...ys)]
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top }
}
