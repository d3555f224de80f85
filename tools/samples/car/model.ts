import { type Mark, marks } from './outline.ts'

/** One body of a car, seen from the side (x, y), from above (x, z) and from the front (z, y); z ≥ 0 only. */
export interface Hull {
  side: readonly Mark[]
  above: readonly Mark[]
  front: readonly Mark[]
}

/** Blueprints in metres: x points ahead, y up, z to the car's right; the floor is y = 0. */
export interface Model {
  body: Hull
  cabin: Hull
  axles: { front: number; rear: number }
  wheel: number
  /** Where the doors end, from the front. */
  doors: readonly number[]
  /** Side windows, seen from the side, from the front one to the rear one. */
  windows: readonly (readonly Mark[])[]
  /** Half of the windscreen and of the rear window (z, y). */
  windscreen: readonly Mark[]
  rearWindow: readonly Mark[]
  roof: { front: number; rear: number }
  tailLamp: readonly Mark[]
  headLamp: readonly Mark[]
  plates: { front: { x: number; y: number }; rear: { x: number; y: number } }
}

/** Both models have the same cross-section. */
export const bodyFront: readonly Mark[] = marks(
  '0,0.17 0.72,0.18 0.82,0.26 0.87,0.42 0.89,0.58 0.885,0.7 0.87,0.82 0.84,0.93 0.76,1.02 0,1.07',
)
export const cabinFront: readonly Mark[] = marks(
  '0,0.8 0.8,0.8 0.805,0.95 0.77,1.08 0.7,1.24 0.62,1.36 0.52,1.43 0.3,1.465 0,1.475',
)
