import { cloudy, noise } from '../tracer/chance.ts'
import { join, type Sculpture, stand } from '../tracer/sculpture.ts'
import { block, type Coat, plain } from '../tracer/shapes.ts'
import { mix, ramp, scale, type Vec, vec } from '../tracer/vec.ts'
import type { Scene } from './scene.ts'

/** Fruit and a jug on a table by a window; one unit is ten centimetres. */
export async function stillLife(): Promise<Scene> {
  return {
    world: {
      shapes: [
        block(vec(-40, -1, -6), vec(40, 0, 8), table),
        block(vec(-60, -20, -9), vec(60, 40, -8.5), plaster),
        stand(jug, vec(-1.75, 1.75, -1.2)),
        stand(bowl, vec(1.35, 0.6, -0.7)),
        ...[vec(0.75, 1.12, -0.75), vec(1.85, 1.12, -0.95), vec(1.35, 1.12, -0.1), vec(1.3, 1.72, -0.7)].map(
          (place, at) => stand(orange, place, at),
        ),
        stand(apple, vec(-0.4, 0.42, 0.9), 0.4),
        stand(apple, vec(-3.2, 0.42, 0.35), 2),
        stand(pear, vec(0.55, 0.62, 1.3), 1),
      ],
      sky: windowLight,
      lamps: [{ place: vec(-9, 8, 5), light: vec(260, 225, 175), radius: 1.4 }],
      ambient: vec(0.1, 0.09, 0.085),
    },
    camera: { stands: vec(0.2, 3.1, 9), looksAt: vec(-0.15, 1.2, 0), view: 0.86 },
    development: { brightness: 1.05, bloom: 0.1 },
  }
}

/** A dim room with one bright window at the left; it has no bars, for their reflection would look like a letter. */
function windowLight(direction: Vec): Vec {
  const across = Math.abs(direction.z - 0.45)
  const up = Math.abs(direction.y - 0.42)
  const pane = direction.x < 0 && across < 0.3 && up < 0.28
  return pane ? vec(5, 4.8, 4.4) : mix(vec(0.1, 0.085, 0.07), vec(0.2, 0.19, 0.19), direction.y)
}

const table: Coat = ({ x, z }) => {
  const plank = Math.floor(z / 1.6)
  const grain = cloudy(x * 0.35 + plank * 9, z * 5 + noise(x * 0.5, plank) * 3, 5)
  const gap = z / 1.6 - plank < 0.012
  return { colour: scale(vec(0.34, 0.17, 0.075), gap ? 0.2 : 0.45 + 0.9 * grain), mirror: 0.035, rough: 0.12 }
}

const plaster: Coat = ({ x, y }) => ({
  colour: scale(vec(0.2, 0.235, 0.24), 0.75 + 0.5 * cloudy(x * 0.3, y * 0.3, 6)),
})

/** Something turned on the wheel: `radiusAt` is its radius at each height. */
function turned(
  high: number,
  wide: number,
  radiusAt: (y: number) => number,
  coat: Sculpture['coat'],
): Sculpture {
  return {
    half: vec(wide, high / 2, wide),
    grain: 0.01,
    coat,
    skin: (x, y, z) =>
      Math.max(Math.abs(y) - high / 2 + 0.02, (Math.sqrt(x * x + z * z) - radiusAt(y + high / 2)) * 0.75),
  }
}

const glaze = plain({ colour: vec(0.09, 0.2, 0.36), mirror: 0.06 })
const jug = turned(
  3.5,
  1.2,
  (y) => 0.52 + 0.5 * Math.sin(Math.min(1, y / 2.6) * Math.PI) ** 1.2 + 0.22 * ramp(2.6, 3.5, y),
  (point) =>
    Math.abs(point.y - 0.55) < 0.16 ? { colour: vec(0.8, 0.77, 0.7), mirror: 0.06 } : glaze(point, point),
)

const bowl: Sculpture = {
  half: vec(1.75, 0.6, 1.75),
  grain: 0.01,
  coat: plain({ colour: vec(0.78, 0.75, 0.69), mirror: 0.05 }),
  skin(x, y, z) {
    const across = Math.sqrt(x * x + z * z)
    const shell = Math.abs(Math.sqrt(across * across + (y - 1.1) ** 2) - 1.62) - 0.05
    const foot = Math.max(Math.abs(across - 0.6) - 0.08, Math.abs(y + 0.52) - 0.08)
    return join(Math.max(shell, y - 0.55), foot, 0.08) * 0.9
  },
}

const orange: Sculpture = {
  half: vec(0.6, 0.6, 0.6),
  grain: 0.02,
  coat: (point) => ({
    colour: mix(vec(0.88, 0.3, 0.02), vec(0.9, 0.42, 0.04), noise(point.x * 5, point.z * 5)),
    mirror: 0.035,
    rough: 0.15,
  }),
  skin(x, y, z) {
    const pores = 0.006 * noise(Math.atan2(z, x) * 22, y * 40)
    return Math.sqrt(x * x + y * y * 1.1 + z * z) - 0.55 + pores
  },
}

/** A ring so thick that its hole is but a dimple, with a stalk in it. */
const apple: Sculpture = {
  half: vec(0.56, 0.56, 0.56),
  grain: 0.01,
  skin(x, y, z) {
    const across = Math.sqrt(x * x + z * z)
    const flesh = Math.sqrt((across - 0.2 - 0.03 * y) ** 2 + y * y * 0.95) - 0.34
    const stalk = Math.max(Math.sqrt((x - 0.1 * (y - 0.2)) ** 2 + z * z) - 0.022, Math.abs(y - 0.36) - 0.17)
    return Math.min(flesh, stalk)
  },
  coat(point) {
    if (point.y > 0.2 && Math.hypot(point.x, point.z) < 0.06) return { colour: vec(0.1, 0.06, 0.03) }
    const streaks = cloudy(Math.atan2(point.z, point.x) * 7, point.y * 1.5, 4)
    const ripe = ramp(0.2, 0.75, streaks + 0.25 * Math.sin(Math.atan2(point.z, point.x)))
    return { colour: mix(vec(0.55, 0.42, 0.07), vec(0.5, 0.025, 0.02), ripe), mirror: 0.045 }
  },
}

const pear: Sculpture = {
  half: vec(0.6, 0.95, 0.6),
  grain: 0.01,
  skin(x, y, z) {
    const belly = Math.sqrt(x * x + (y + 0.13) ** 2 + z * z) - 0.49
    const neck = Math.sqrt((x - 0.05) ** 2 + (y - 0.42) ** 2 + z * z) - 0.22
    const stalk = Math.max(
      Math.sqrt((x - 0.05 - 0.15 * (y - 0.6)) ** 2 + z * z) - 0.022,
      Math.abs(y - 0.74) - 0.15,
    )
    return Math.min(join(belly, neck, 0.45), stalk) * 0.9
  },
  coat(point) {
    if (point.y > 0.66) return { colour: vec(0.1, 0.06, 0.03) }
    const freckles = noise(point.x * 40, point.y * 40 + point.z * 40) > 0.86 ? 0.7 : 1
    return {
      colour: scale(mix(vec(0.5, 0.5, 0.08), vec(0.62, 0.4, 0.06), ramp(-0.4, 0.4, point.x)), freckles),
      mirror: 0.035,
      rough: 0.1,
    }
  },
}
