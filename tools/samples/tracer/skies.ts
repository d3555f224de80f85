import { cloudy } from './chance.ts'
import { add, dot, mix, normalise, ramp, scale, type Vec } from './vec.ts'

export type Sky = (direction: Vec) => Vec

export interface Heavens {
  zenith: Vec
  horizon: Vec
  /** The glow round the sun. */
  sun?: { towards: Vec; light: Vec; wide: number }
  /** `amount` is the share of the sky that they cover. */
  clouds?: { light: Vec; amount: number; seed: number }
}

/** A clear or cloudy sky, brighter towards the horizon and the sun. */
export function heavens({ zenith, horizon, sun, clouds }: Heavens): Sky {
  return (direction) => {
    const height = Math.max(0, direction.y)
    let light = mix(horizon, zenith, 1 - (1 - height) ** 3)
    if (clouds && direction.y > 0.01)
      light = mix(light, clouds.light, cover(direction, clouds.amount, clouds.seed))
    if (sun) light = add(light, scale(sun.light, Math.max(0, dot(direction, sun.towards)) ** (1 / sun.wide)))
    return light
  }
}

function cover(direction: Vec, amount: number, seed: number): number {
  const x = direction.x / (direction.y + 0.12)
  const z = direction.z / (direction.y + 0.12)
  const density = cloudy(x * 0.7 + seed, z * 0.7 - seed, 5)
  const least = 0.75 - 0.5 * amount
  return ramp(least - 0.07, least + 0.16, density) * ramp(0, 0.1, direction.y) * 0.9
}

export interface Ridge {
  /** How far the crest rises above the horizon, as a slope: 0.2 is a high mountain. */
  height: number
  /** Crests round the whole horizon: few are broad. */
  crests: number
  colour: Vec
  /** What its foot fades into. */
  haze: Vec
  seed: number
}

/** Mountain ridges in front of a sky, the farthest first, each fading towards its foot. */
export function ridges(sky: Sky, layers: Ridge[]): Sky {
  return (direction) => {
    let light = sky(direction)
    const around = Math.atan2(direction.z, direction.x) / Math.PI
    const slope = direction.y / Math.hypot(direction.x, direction.z)
    for (const { height, crests, colour, haze, seed } of layers) {
      const crest = height * (0.35 + 0.9 * cloudy(around * crests + seed, seed, 6))
      if (slope < crest) light = mix(haze, colour, ramp(-0.05 * height, height, slope) * 0.8 + 0.2)
    }
    return light
  }
}

/** The direction towards a light in the sky: degrees from the x axis towards z, and degrees above the horizon. */
export function towards(around: number, above: number): Vec {
  const turn = (around * Math.PI) / 180
  const rise = (above * Math.PI) / 180
  return normalise({
    x: Math.cos(turn) * Math.cos(rise),
    y: Math.sin(rise),
    z: Math.sin(turn) * Math.cos(rise),
  })
}
