import type { Texture } from './texture.ts'
import { cross, dot, normalise, scale, subtract, type Vec, vec } from './vec.ts'

/** How a surface answers light. */
export interface Surface {
  readonly colour: Vec
  /** Share of light mirrored when seen head on: 0 for chalk, 0.04 for varnish, 0.8 for chrome. */
  readonly mirror?: number
  /** How far mirrored light strays: 0 for glass, 0.3 for wet asphalt. */
  readonly rough?: number
  /** Light of its own. */
  readonly glow?: Vec
}

export type Coat = (point: Vec, normal: Vec) => Surface

export interface Shape {
  /** Metres along the ray to the first touch; Infinity when there is none. */
  distance(from: Vec, direction: Vec): number
  look(point: Vec): { normal: Vec; surface: Surface }
}

/** Nearer than this a ray is thought to touch what it has just left. */
export const touching = 0.002

export const plain =
  (surface: Surface): Coat =>
  () =>
    surface

/** The endless floor at height 0; `tilt` gives it waves. */
export function floor(coat: Coat, tilt?: (point: Vec) => Vec): Shape {
  const upright = vec(0, 1, 0)
  return {
    distance: (from, direction) => (direction.y < -1e-6 ? ahead(-from.y / direction.y) : Infinity),
    look(point) {
      const normal = tilt?.(point) ?? upright
      return { normal, surface: coat(point, normal) }
    },
  }
}

export interface PanelOptions {
  mirror?: number
  rough?: number
  /** How strongly the image shines by itself. */
  glow?: number
}

/** A textured rectangle in space: its bottom left corner, its edge to the right and its edge upwards. */
export function panel(corner: Vec, right: Vec, up: Vec, texture: Texture, options: PanelOptions = {}): Shape {
  const normal = normalise(cross(right, up))
  const { mirror = 0, rough = 0, glow = 0 } = options
  const u = (point: Vec) => dot(subtract(point, corner), right) / dot(right, right)
  const v = (point: Vec) => 1 - dot(subtract(point, corner), up) / dot(up, up)
  return {
    distance(from, direction) {
      const towards = dot(direction, normal)
      if (Math.abs(towards) < 1e-6) return Infinity
      const away = ahead(dot(subtract(corner, from), normal) / towards)
      if (away === Infinity) return away
      const x = from.x + direction.x * away
      const point = { x, y: from.y + direction.y * away, z: from.z + direction.z * away }
      const across = u(point)
      const down = v(point)
      const inside = across >= 0 && across <= 1 && down >= 0 && down <= 1
      return inside && texture.cover(across, down) > 0.5 ? away : Infinity
    },
    look(point) {
      const shade = texture.colour(u(point), v(point))
      return { normal, surface: { colour: shade, mirror, rough, glow: scale(shade, glow) } }
    },
  }
}

/** A block between two opposite corners, its sides along the axes. */
export function block(low: Vec, high: Vec, coat: Coat): Shape {
  const middle = scale({ x: low.x + high.x, y: low.y + high.y, z: low.z + high.z }, 0.5)
  const half = scale(subtract(high, low), 0.5)
  return {
    distance(from, direction) {
      const { enter, leave } = slabs(subtract(from, middle), direction, half)
      return enter <= leave ? ahead(enter) : Infinity
    },
    look(point) {
      const { x, y, z } = subtract(point, middle)
      const sides = [Math.abs(x) / half.x, Math.abs(y) / half.y, Math.abs(z) / half.z]
      const most = sides.indexOf(Math.max(...sides))
      const normal = vec(
        most === 0 ? Math.sign(x) : 0,
        most === 1 ? Math.sign(y) : 0,
        most === 2 ? Math.sign(z) : 0,
      )
      return { normal, surface: coat(point, normal) }
    },
  }
}

export function ball(middle: Vec, radius: number, coat: Coat): Shape {
  return {
    distance(from, direction) {
      const offset = subtract(from, middle)
      const half = dot(offset, direction)
      const root = half * half - dot(offset, offset) + radius * radius
      return root < 0 ? Infinity : ahead(-half - Math.sqrt(root))
    },
    look(point) {
      const normal = normalise(subtract(point, middle))
      return { normal, surface: coat(point, normal) }
    },
  }
}

/** An upright post, open at its ends. */
export function post(foot: Vec, radius: number, height: number, coat: Coat): Shape {
  return {
    distance(from, direction) {
      const x = from.x - foot.x
      const z = from.z - foot.z
      const a = direction.x * direction.x + direction.z * direction.z
      const half = x * direction.x + z * direction.z
      const root = half * half - a * (x * x + z * z - radius * radius)
      if (root < 0 || a < 1e-9) return Infinity
      const away = ahead((-half - Math.sqrt(root)) / a)
      const rise = from.y + direction.y * away - foot.y
      return rise >= 0 && rise <= height ? away : Infinity
    },
    look(point) {
      const normal = normalise(vec(point.x - foot.x, 0, point.z - foot.z))
      return { normal, surface: coat(point, normal) }
    },
  }
}

/** Where a ray enters and leaves a block of the given half size round the origin; nowhere when enter > leave. */
export function slabs(from: Vec, direction: Vec, half: Vec): { enter: number; leave: number } {
  const x = crossing(from.x, direction.x, half.x)
  const y = crossing(from.y, direction.y, half.y)
  const z = crossing(from.z, direction.z, half.z)
  const enter = Math.max(x.enter, y.enter, z.enter)
  const leave = Math.min(x.leave, y.leave, z.leave)
  return { enter, leave }
}

function crossing(from: number, direction: number, half: number): { enter: number; leave: number } {
  const one = (-half - from) / direction
  const other = (half - from) / direction
  return one < other ? { enter: one, leave: other } : { enter: other, leave: one }
}

const ahead = (distance: number): number => (distance > touching ? distance : Infinity)
