import { common, join } from '../tracer/sculpture.ts'
import { type Grid, sample } from './grid.ts'
import type { Hull, Model } from './model.ts'
import { distanceTo, mirrored, rounded } from './outline.ts'

const step = 0.025
const cells = { x: 204, y: 66, z: 46 }
const low = { x: -2.55, y: 0, z: -0.05 }

/** The distance to the car's skin without wheels, for z ≥ 0: each hull is what its three views have in common. */
export function bodyGrid(model: Model): Grid {
  const body = hullField(model.body, 0.09)
  const cabin = hullField(model.cabin, 0.1)
  const extent = {
    low: [low.x, low.y, low.z] as const,
    cells: [cells.x, cells.y, cells.z] as const,
    step,
  }
  return sample(extent, (x, y, z) =>
    join(join(body(x, y, z), cabin(x, y, z), 0.07), wingMirror(x, y, z), 0.03),
  )
}

function hullField(hull: Hull, soft: number): (x: number, y: number, z: number) => number {
  const side = flat(rounded(hull.side), low.x, low.y, cells.x, cells.y)
  const above = flat(rounded(mirrored(hull.above, 1)), low.x, low.z, cells.x, cells.z)
  const front = flat(mirrored(hull.front, 0), low.z, low.y, cells.z, cells.y)
  return (x, y, z) => common(common(side(x, y), above(x, z), soft), front(z, y), soft)
}

/** One view's distances, taken once on the grid's own points. */
function flat(
  outline: readonly (readonly [number, number])[],
  left: number,
  bottom: number,
  columns: number,
  rows: number,
): (a: number, b: number) => number {
  const values = Float32Array.from({ length: columns * rows }, (_, at) =>
    distanceTo(outline, left + (at % columns) * step, bottom + Math.floor(at / columns) * step),
  )
  return (a, b) => values[Math.round((b - bottom) / step) * columns + Math.round((a - left) / step)] ?? 1
}

function wingMirror(x: number, y: number, z: number): number {
  const across = Math.hypot((x - 0.72) / 0.1, (y - 1.04) / 0.075, (z - 0.97) / 0.12)
  const arm = Math.max(Math.hypot(x - 0.74, y - 0.98) - 0.025, Math.abs(z - 0.88) - 0.08)
  return join((across - 1) * 0.075, arm, 0.03)
}
