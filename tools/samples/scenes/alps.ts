import { cloudy, noise } from '../tracer/chance.ts'
import type { Coat, Shape } from '../tracer/shapes.ts'
import { terrain } from '../tracer/terrain.ts'
import { mix, ramp, scale, vec } from '../tracer/vec.ts'

export interface Alps {
  /** Metres from the z axis' origin to where the ground begins to rise. */
  foot: number
  /** Height of the highest peaks over the ground. */
  peak: number
  seed: number
}

/** A snowy range across the north (-z) with wooded hills before it. */
export function alps({ foot, peak, seed }: Alps): Shape {
  const heightAt = (x: number, z: number): number => {
    const away = -z - foot
    const range =
      peak * Math.exp(-(((away - 900) / 400) ** 2)) * (0.25 + 0.85 * crests(x / 620 + seed, z / 620))
    const hills =
      0.2 *
      peak *
      ramp(0, 260, away) *
      crests(x / 300, z / 300 + seed) *
      (0.35 + Math.min(1.4, Math.abs(x - 40) / 260))
    return ramp(0, 180, away + 20 * noise(x * 0.03, seed)) * (range + hills) - 1.5
  }
  return terrain({
    low: vec(-1100, -3, -foot - 1500),
    high: vec(1100, peak * 1.15, -foot + 20),
    step: 4,
    heightAt,
    coat: alpine(peak),
  })
}

/** Noise folded at its middle: sharp crests, rounded valleys. */
function crests(x: number, z: number): number {
  let sum = 0
  let strength = 0.5
  for (let octave = 0; octave < 7; octave += 1) {
    const finer = 2.1 ** octave
    const folded = 1 - Math.abs(2 * noise(x * finer + octave * 5.2, z * finer + octave * 1.7) - 1)
    sum += strength * folded * folded
    strength *= 0.48
  }
  return sum
}

/** Forest below, rock on steep ground, snow above. */
const alpine =
  (peak: number): Coat =>
  (point, normal) => {
    const rough = cloudy(point.x * 0.03, point.z * 0.03, 6)
    const height = point.y / peak + 0.35 * (rough - 0.5)
    const crowns = noise(point.x * 0.4, point.z * 0.4) * noise(point.x * 0.9, point.z * 0.9)
    const forest = scale(mix(vec(0.02, 0.05, 0.02), vec(0.07, 0.11, 0.03), rough), 0.45 + 1.8 * crowns)
    const rock = scale(vec(0.25, 0.23, 0.22), 0.4 + cloudy(point.x * 0.09, point.y * 0.3, 5))
    const steep = ramp(0.84, 0.62, normal.y)
    const bare = mix(forest, rock, Math.max(ramp(0.2, 0.36, height), steep * 0.8))
    return { colour: mix(bare, vec(0.84, 0.87, 0.92), ramp(0.36, 0.5, height) * (1 - 0.9 * steep)) }
  }
