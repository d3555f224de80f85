import { car } from '../car/car.ts'
import { saloon } from '../car/saloon.ts'
import { cloudy, noise } from '../tracer/chance.ts'
import { block, type Coat, floor, plain, post, type Shape } from '../tracer/shapes.ts'
import { heavens, ridges, towards } from '../tracer/skies.ts'
import { mix, ramp, scale, vec } from '../tracer/vec.ts'
import { asphalt, grass } from './grounds.ts'
import type { Scene } from './scene.ts'

/** A teal saloon on the coast road at sunset. */
export async function seaside(): Promise<Scene> {
  const sun = towards(-98, 8)
  return {
    world: {
      shapes: [
        floor(coast),
        await car(saloon, { paint: '#0d7480', lights: 0.6 }, vec(0.1, 0, 0.2), 0.06),
        ...guardRail(),
      ],
      sky: ridges(
        heavens({
          zenith: vec(0.07, 0.12, 0.36),
          horizon: vec(0.95, 0.36, 0.12),
          sun: { towards: sun, light: vec(2.2, 1.3, 0.5), wide: 0.012 },
          clouds: { light: vec(1.1, 0.42, 0.22), amount: 0.55, seed: 11 },
        }),
        [
          { height: 0.07, crests: 9, colour: vec(0.2, 0.11, 0.17), haze: vec(0.6, 0.27, 0.18), seed: 31 },
          { height: 0.04, crests: 12, colour: vec(0.07, 0.045, 0.08), haze: vec(0.3, 0.14, 0.12), seed: 5 },
        ],
      ),
      sun: { towards: towards(62, 22), light: vec(2.2, 1.35, 0.8), spread: 0.05 },
      haze: { light: vec(0.75, 0.36, 0.2), reach: 900 },
      ambient: vec(0.22, 0.17, 0.17),
    },
    camera: { stands: vec(3.4, 1.3, 6.6), looksAt: vec(0.1, 1.08, 0), view: 0.86 },
    development: { bloom: 0.3 },
  }
}

const road = asphalt(vec(0.12, 0.115, 0.12), 0, 2)

/** Road, verge and sea, from near to far. */
const coast: Coat = (point, normal) => {
  if (point.z < -14) return sea(point, normal)
  if (point.z < -3.4) return grass(point, normal)
  const line =
    Math.abs(point.z + 2.3) < 0.07 ||
    (Math.abs(point.z - 2.6) < 0.07 && point.x - 4 * Math.floor(point.x / 4) < 2)
  return line
    ? { colour: scale(vec(0.75, 0.72, 0.66), 0.7 + 0.4 * noise(point.x * 30, point.z * 30)) }
    : road(point, normal)
}

const sea: Coat = ({ x, z }) => {
  const waves = cloudy(x * 0.25, z * 1.1, 4)
  const far = ramp(-14, -160, z)
  return {
    colour: mix(vec(0.02, 0.1, 0.13), vec(0.06, 0.12, 0.17), waves),
    mirror: 0.08 + 0.3 * far,
    rough: 0.1 + 0.1 * waves,
  }
}

function guardRail(): Shape[] {
  const steel = plain({ colour: vec(0.55, 0.56, 0.58), mirror: 0.35, rough: 0.25 })
  const posts = Array.from({ length: 14 }, (_, at) => post(vec(-20 + at * 3, 0, -3.3), 0.06, 0.72, steel))
  return [block(vec(-60, 0.5, -3.24), vec(60, 0.76, -3.18), steel), ...posts]
}
