import { cloudy, noise } from '../tracer/chance.ts'
import type { Coat } from '../tracer/shapes.ts'
import { mix, ramp, scale, type Vec, vec } from '../tracer/vec.ts'

/** Asphalt with patches; `wet` from 0 to 1 lets puddles mirror. */
export function asphalt(tone: Vec, wet = 0, seed = 0): Coat {
  return ({ x, z }) => {
    const patches = cloudy(x * 0.5 + seed, z * 0.5, 5)
    const stones = noise(x * 90, z * 90) * 0.25 + noise(x * 31, z * 31) * 0.15
    const puddle = ramp(0.62 - wet * 0.2, 0.78 - wet * 0.25, patches) * wet
    const dry = scale(tone, 0.65 + 0.4 * patches + stones)
    return {
      colour: scale(dry, 1 - 0.55 * puddle),
      mirror: 0.02 + 0.06 * puddle,
      rough: wet === 0 ? 0.5 : 0.22 - 0.2 * puddle,
    }
  }
}

/** Slabs with joints between them, `size` metres wide. */
export function paving(tone: Vec, size: number, mirror = 0.02, rough = 0.35): Coat {
  return ({ x, z }) => {
    const column = Math.floor(x / size)
    const row = Math.floor(z / size)
    const joint = Math.min(x / size - column, z / size - row) < 0.014 / size
    const shade = 0.85 + 0.2 * noise(column * 7.7, row * 5.3) + 0.15 * cloudy(x * 2, z * 2, 4)
    return { colour: scale(tone, joint ? 0.35 : shade), mirror, rough }
  }
}

export const grass: Coat = ({ x, z }) => {
  const blades = noise(x * 28, z * 28) * 0.5 + noise(x * 9, z * 9) * 0.5
  const meadow = cloudy(x * 0.35, z * 0.35, 4)
  const tone = mix(vec(0.035, 0.09, 0.018), vec(0.16, 0.2, 0.04), 0.3 * blades + 0.7 * meadow)
  return { colour: scale(tone, 0.6 + 0.8 * blades) }
}
