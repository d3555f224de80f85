import { cloudy, noise } from '../tracer/chance.ts'
import { type Coat, floor } from '../tracer/shapes.ts'
import { heavens, towards } from '../tracer/skies.ts'
import { terrain } from '../tracer/terrain.ts'
import { mix, normalise, ramp, scale, type Vec, vec } from '../tracer/vec.ts'
import { conifers } from './conifers.ts'
import type { Scene } from './scene.ts'

/** A lake below snowy peaks, soon after sunrise. */
export async function mountainLake(): Promise<Scene> {
  const sun = towards(152, 20)
  return {
    world: {
      shapes: [
        floor(() => ({ colour: vec(0.006, 0.022, 0.028), mirror: 0.02 }), ripples),
        terrain({
          low: vec(-900, -20, -1500),
          high: vec(900, 360, -120),
          step: 3,
          heightAt: peaks,
          coat: alpine,
        }),
        ...(await conifers(46, 9, (dice) => vec(-75 + 150 * dice() ** 0.9, -0.6, -118 - 6 * dice()))),
      ],
      sky: heavens({
        zenith: vec(0.14, 0.3, 0.68),
        horizon: vec(0.98, 0.74, 0.58),
        sun: { towards: sun, light: vec(1.2, 0.7, 0.35), wide: 0.08 },
        clouds: { light: vec(1.25, 0.92, 0.78), amount: 0.52, seed: 23 },
      }),
      sun: { towards: sun, light: vec(3.6, 2.5, 1.6), spread: 0.03 },
      haze: { light: vec(0.7, 0.62, 0.66), reach: 9000 },
      ambient: vec(0.14, 0.16, 0.2),
    },
    camera: { stands: vec(0, 4.2, 0), looksAt: vec(8, 21, -200), view: 1 },
    development: { brightness: 1.25, bloom: 0.25 },
  }
}

/** Small waves, flatter close to the far shore. */
function ripples({ x, z }: Vec): Vec {
  const strength = 0.018 * ramp(-130, -10, z) + 0.006
  const wave = (a: number, b: number) => noise(a * 0.5, b * 1.6) + 0.5 * noise(a * 1.7, b * 4.1) - 0.75
  return normalise(vec(strength * wave(x, z), 1, strength * 1.6 * wave(x + 50, z + 9)))
}

/** Two ranges behind the shore, their crests sharpened by folding the noise. */
function peaks(x: number, z: number): number {
  const away = -z
  const shore = ramp(128 + 12 * noise(x * 0.03, 2), 330, away)
  const folded = (size: number, seed: number) =>
    1 - Math.abs(2 * cloudy(x / size + seed, z / size + seed, 7) - 1)
  const range = 330 * Math.exp(-(((away - 900) / 430) ** 2)) * folded(520, 4.3) ** 1.7
  const foot = 46 * folded(260, 11.9) ** 1.5 * (0.25 + Math.min(1.2, Math.abs(x - 30) / 160))
  return shore * (range + foot) + 3 * cloudy(x * 0.12, z * 0.12, 3) * shore - 1.5
}

/** Meadow and forest below, rock on steep ground, snow above. */
const alpine: Coat = (point, normal) => {
  const rough = cloudy(point.x * 0.06, point.z * 0.06, 5)
  const forest = mix(vec(0.018, 0.04, 0.016), vec(0.06, 0.085, 0.03), rough)
  const rock = scale(vec(0.23, 0.21, 0.2), 0.5 + 0.8 * cloudy(point.x * 0.2, point.y * 0.35, 4))
  const bare = mix(forest, rock, ramp(40, 110, point.y + 70 * (rough - 0.5)))
  const steep = ramp(0.86, 0.66, normal.y)
  const snow = ramp(95, 150, point.y + 70 * (rough - 0.5)) * (1 - 0.85 * steep)
  return { colour: mix(mix(bare, rock, steep * 0.7), vec(0.86, 0.88, 0.92), snow) }
}
