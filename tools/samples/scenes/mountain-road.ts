import { car } from '../car/car.ts'
import { hatchback } from '../car/hatchback.ts'
import { plate } from '../car/plate.ts'
import { noise } from '../tracer/chance.ts'
import { type Coat, floor } from '../tracer/shapes.ts'
import { heavens, towards } from '../tracer/skies.ts'
import { scale, vec } from '../tracer/vec.ts'
import { alps } from './alps.ts'
import { asphalt, grass } from './grounds.ts'
import type { Scene } from './scene.ts'
import { conifers } from './trees.ts'

/** A yellow hatchback climbs towards the mountains. */
export async function mountainRoad(): Promise<Scene> {
  const place = vec(0.75, 0, 0.6)
  const heading = 1.33
  return {
    world: {
      shapes: [
        floor(valley),
        alps({ foot: 90, peak: 270, seed: 7.7 }),
        await car(hatchback, { paint: '#d8a013', lights: 0.4 }, place, heading),
        await plate('LU 24680', hatchback, 'rear', place, heading, { strip: true }),
        ...(await conifers(26, 4, (dice) =>
          vec((dice() < 0.5 ? -1 : 1) * (5.5 + 13 * dice()), 0, -6 - 34 * dice()),
        )),
      ],
      sky: heavens({
        zenith: vec(0.1, 0.28, 0.75),
        horizon: vec(0.62, 0.78, 0.95),
        clouds: { light: vec(1.25, 1.25, 1.25), amount: 0.55, seed: 9 },
      }),
      sun: { towards: towards(140, 36), light: vec(2.9, 2.6, 2.2), spread: 0.03 },
      haze: { light: vec(0.5, 0.62, 0.8), reach: 12000 },
      ambient: vec(0.2, 0.21, 0.22),
    },
    camera: { stands: vec(-1.5, 1.65, 7), looksAt: vec(0.25, 1.28, 0), view: 0.84 },
    development: { brightness: 0.9 },
  }
}

const road = asphalt(vec(0.16, 0.16, 0.165), 0, 6)

/** A road that bends to the left in the distance, between meadows. */
const valley: Coat = (point, normal) => {
  const fromMiddle = point.x + 0.9 + Math.max(0, -point.z - 8) ** 2 * 0.006
  const across = Math.abs(fromMiddle)
  if (across > 3.5 + 0.12 * noise(point.x * 5, point.z * 5)) return grass(point, normal)
  const dashes = across < 0.07 && point.z - 6 * Math.floor(point.z / 6) < 3
  const painted = dashes || Math.abs(across - 3.2) < 0.06
  return painted
    ? { colour: scale(vec(0.8, 0.8, 0.78), 0.65 + 0.4 * noise(point.x * 40, point.z * 40)) }
    : road(point, normal)
}
