import { type Dice, noise } from '../tracer/chance.ts'
import { floor } from '../tracer/shapes.ts'
import { heavens, towards } from '../tracer/skies.ts'
import { normalise, ramp, type Vec, vec } from '../tracer/vec.ts'
import { alps } from './alps.ts'
import type { Scene } from './scene.ts'
import { conifers } from './trees.ts'

/** A lake below snowy peaks, soon after sunrise. */
export async function mountainLake(): Promise<Scene> {
  const sun = towards(152, 20)
  return {
    world: {
      shapes: [
        floor(() => ({ colour: vec(0.006, 0.022, 0.028), mirror: 0.02 }), ripples),
        alps({ foot: 130, peak: 260, seed: 2.4 }),
        ...(await conifers(70, 9, shore)),
      ],
      sky: heavens({
        zenith: vec(0.1, 0.24, 0.6),
        horizon: vec(0.95, 0.62, 0.42),
        sun: { towards: sun, light: vec(1.2, 0.7, 0.35), wide: 0.08 },
        clouds: { light: vec(1.25, 0.92, 0.78), amount: 0.52, seed: 23 },
      }),
      sun: { towards: sun, light: vec(3, 2, 1.2), spread: 0.03 },
      haze: { light: vec(0.5, 0.46, 0.55), reach: 9000 },
      ambient: vec(0.14, 0.16, 0.2),
    },
    camera: { stands: vec(0, 4.2, 0), looksAt: vec(8, 20, -200), view: 1 },
    development: { brightness: 1.05, bloom: 0.25 },
  }
}

/** Firs stand in two groves that leave the middle of the shore open. */
function shore(dice: Dice): Vec {
  const side = dice() < 0.55 ? -1 : 1
  return vec(side * (14 + 66 * dice() ** 0.7), -0.6, -112 - 14 * dice())
}

/** Small waves, flatter close to the far shore. */
function ripples({ x, z }: Vec): Vec {
  const strength = 0.018 * ramp(-130, -10, z) + 0.006
  const wave = (a: number, b: number) => noise(a * 0.5, b * 1.6) + 0.5 * noise(a * 1.7, b * 4.1) - 0.75
  return normalise(vec(strength * wave(x, z), 1, strength * 1.6 * wave(x + 50, z + 9)))
}
