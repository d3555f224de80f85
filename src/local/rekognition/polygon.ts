import type { Point } from '../vision/vision.ts'

/** The area of a polygon, in the square of its points' units; independent of its orientation. */
export function area(polygon: Point[]): number {
  return Math.abs(signedArea(polygon))
}

/** Positive for a clockwise polygon in image coordinates (y points down). */
function signedArea(polygon: Point[]): number {
  return edges(polygon).reduce((sum, [from, to]) => sum + from.x * to.y - to.x * from.y, 0) / 2
}

/**
 * Clips `polygon`, of any shape, to `convex` (Sutherland–Hodgman).
 * Disjoint parts stay connected by edges of zero area.
 */
export function clip(polygon: Point[], convex: Point[]): Point[] {
  const orientation = Math.sign(signedArea(convex))
  return edges(convex).reduce((rest, edge) => clipByEdge(rest, edge, orientation), polygon)
}

function clipByEdge(polygon: Point[], [from, to]: Edge, orientation: number): Point[] {
  const side = ({ x, y }: Point) =>
    orientation * ((to.x - from.x) * (y - from.y) - (to.y - from.y) * (x - from.x))
  return edges(polygon).flatMap(([start, end]) => {
    const [atStart, atEnd] = [side(start), side(end)]
    const crossing = atStart * atEnd < 0 ? [interpolate(start, end, atStart / (atStart - atEnd))] : []
    return atEnd >= 0 ? [...crossing, end] : crossing
  })
}

function interpolate(start: Point, end: Point, t: number): Point {
  return { x: start.x + t * (end.x - start.x), y: start.y + t * (end.y - start.y) }
}

type Edge = [from: Point, to: Point]

function edges(polygon: Point[]): Edge[] {
  return polygon.map((from, at) => [from, polygon[(at + 1) % polygon.length] ?? from])
}

/** The axis-aligned bounding box of the polygon. */
export function boundingBox(polygon: Point[]) {
  const xs = polygon.map(({ x }) => x)
  const ys = polygon.map(({ y }) => y)
  const [left, top] = [Math.min(...xs), Math.min(...ys)]
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top }
}
