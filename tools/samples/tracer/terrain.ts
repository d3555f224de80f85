import type { Coat, Shape } from './shapes.ts'
import { slabs } from './shapes.ts'
import { normalise, subtract, type Vec, vec } from './vec.ts'

export interface Land {
  /** Its south-west and north-east corners, with the lowest and the highest ground. */
  low: Vec
  high: Vec
  /** Metres between two measured points. */
  step: number
  heightAt: (x: number, z: number) => number
  coat: Coat
}

/** Hills and mountains, measured once on a grid. */
export function terrain({ low, high, step, heightAt, coat }: Land): Shape {
  const columns = Math.floor((high.x - low.x) / step) + 1
  const rows = Math.floor((high.z - low.z) / step) + 1
  const heights = Float32Array.from({ length: columns * rows }, (_, at) =>
    heightAt(low.x + (at % columns) * step, low.z + Math.floor(at / columns) * step),
  )
  const ground = (x: number, z: number): number => {
    const across = Math.min(columns - 2, Math.max(0, (x - low.x) / step))
    const along = Math.min(rows - 2, Math.max(0, (z - low.z) / step))
    const at = Math.floor(along) * columns + Math.floor(across)
    const right = across - Math.floor(across)
    const near = blend(heights[at] ?? 0, heights[at + 1] ?? 0, right)
    const far = blend(heights[at + columns] ?? 0, heights[at + columns + 1] ?? 0, right)
    return blend(near, far, along - Math.floor(along))
  }
  const middle = vec((low.x + high.x) / 2, (low.y + high.y) / 2, (low.z + high.z) / 2)
  const half = subtract(high, middle)
  return {
    distance(from, direction) {
      const { enter, leave } = slabs(subtract(from, middle), direction, half)
      return enter > leave ? Infinity : walk(ground, from, direction, Math.max(0.02, enter), leave, step)
    },
    look({ x, z }) {
      const normal = normalise(
        vec(ground(x - step, z) - ground(x + step, z), 2 * step, ground(x, z - step) - ground(x, z + step)),
      )
      return { normal, surface: coat(vec(x, ground(x, z), z), normal) }
    },
  }
}

/** Strides as long as the ray is high above the ground, and halves the last stride until the ground is met. */
function walk(
  ground: (x: number, z: number) => number,
  from: Vec,
  direction: Vec,
  start: number,
  end: number,
  step: number,
): number {
  const above = (away: number): number =>
    from.y + direction.y * away - ground(from.x + direction.x * away, from.z + direction.z * away)
  let before = start
  for (let away = start; away < end; ) {
    const free = above(away)
    if (free < 0) return halved(above, before, away)
    before = away
    away += Math.max(step * 0.35, away * 0.003, free * 0.6)
  }
  return Infinity
}

function halved(above: (away: number) => number, clear: number, under: number): number {
  let [near, far] = [clear, under]
  for (let round = 0; round < 8; round += 1) {
    const middle = (near + far) / 2
    if (above(middle) < 0) far = middle
    else near = middle
  }
  return near
}

const blend = (a: number, b: number, share: number): number => a + (b - a) * share
