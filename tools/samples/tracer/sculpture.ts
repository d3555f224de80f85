import { type Shape, type Surface, slabs, touching } from './shapes.ts'
import { normalise, subtract, type Vec, vec } from './vec.ts'

/** Something round, described by how far each point is from its skin (negative inside), in its own coordinates. */
export interface Sculpture {
  /** Half the size of the block round the origin that holds all of it. */
  readonly half: Vec
  skin(x: number, y: number, z: number): number
  coat(point: Vec, normal: Vec): Surface
  /** The step at which the slope of the skin is taken, in metres. */
  readonly grain: number
}

const steps = 90
const near = 0.0012

/** Puts a sculpture into the scene: its origin at `place`, turned by `heading` radians about the upright. */
export function stand(sculpture: Sculpture, place: Vec, heading = 0): Shape {
  const cosine = Math.cos(heading)
  const sine = Math.sin(heading)
  const inwards = (v: Vec): Vec => vec(v.x * cosine - v.z * sine, v.y, v.x * sine + v.z * cosine)
  const outwards = (v: Vec): Vec => vec(v.x * cosine + v.z * sine, v.y, -v.x * sine + v.z * cosine)
  return {
    distance: (from, direction) => march(sculpture, inwards(subtract(from, place)), inwards(direction)),
    look(point) {
      const own = inwards(subtract(point, place))
      const normal = slope(sculpture, own)
      return { normal: outwards(normal), surface: sculpture.coat(own, normal) }
    },
  }
}

/** Walks the ray by the distance that is free in any case, until it touches the skin. */
function march({ half, skin }: Sculpture, from: Vec, direction: Vec): number {
  const { enter, leave } = slabs(from, direction, half)
  if (enter > leave || leave < touching) return Infinity
  let away = Math.max(enter, touching)
  for (let step = 0; step < steps && away < leave; step += 1) {
    const free = skin(from.x + direction.x * away, from.y + direction.y * away, from.z + direction.z * away)
    if (free < near) return away
    away += free * 0.9
  }
  return Infinity
}

function slope({ skin, grain }: Sculpture, { x, y, z }: Vec): Vec {
  return normalise(
    vec(
      skin(x + grain, y, z) - skin(x - grain, y, z),
      skin(x, y + grain, z) - skin(x, y - grain, z),
      skin(x, y, z + grain) - skin(x, y, z - grain) + 1e-9,
    ),
  )
}

/** The nearer of two skins, their seam rounded over `soft` metres. */
export function join(a: number, b: number, soft: number): number {
  const overlap = Math.max(0, soft - Math.abs(a - b)) / soft
  return Math.min(a, b) - overlap * overlap * soft * 0.25
}

/** What two bodies share, the edge rounded over `soft` metres. */
export const common = (a: number, b: number, soft: number): number => -join(-a, -b, soft)
