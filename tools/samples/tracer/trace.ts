import type { Dice } from './chance.ts'
import type { Shape, Surface } from './shapes.ts'
import {
  add,
  along,
  cross,
  dot,
  grey,
  length,
  mix,
  multiply,
  normalise,
  scale,
  subtract,
  type Vec,
  vec,
} from './vec.ts'

export interface Lamp {
  place: Vec
  /** Light at a distance of one metre. */
  light: Vec
  /** Metres; a larger lamp throws softer shadows. */
  radius: number
}

export interface World {
  shapes: Shape[]
  sky: (direction: Vec) => Vec
  /** `spread` is how soft the shadows are: 0.02 is a clear day. */
  sun?: { towards: Vec; light: Vec; spread: number }
  lamps?: Lamp[]
  /** Air that hides what is far: its colour, and the metres after which little is left of what stands there. */
  haze?: { light: Vec; reach: number }
  /** What reaches a surface after its light has bounced twice. */
  ambient: Vec
}

/** What one ray saw, kept apart so that the noisy part (light) can be smoothed without blurring the image. */
export interface Sight {
  colour: Vec
  light: Vec
  /** Reflections in rough surfaces, as noisy as the light. */
  sheen: Vec
  /** Everything else: the sky, clear reflections, lamps. */
  shine: Vec
  normal: Vec
  away: number
}

const brightest = 12
const horizon = 1e5
const none = vec(0, 0, 0)

export function see(world: World, from: Vec, direction: Vec, dice: Dice): Sight {
  const { shape, away } = nearest(world, from, direction)
  if (!shape)
    return {
      colour: none,
      light: none,
      sheen: none,
      shine: world.sky(direction),
      normal: none,
      away: horizon,
    }
  const point = along(from, direction, away)
  const { normal, surface } = facing(shape, point, direction)
  const start = along(point, normal, 0.004)
  const light = add(direct(world, start, normal, dice), bounced(world, start, normal, dice))
  const reflected = mirrored(world, start, direction, normal, surface, dice)
  const rough = (surface.rough ?? 0) > 0.03
  const clear = 1 - hidden(world, away)
  const glow = add(surface.glow ?? none, rough ? none : reflected.light)
  return {
    colour: scale(surface.colour, (1 - reflected.share) * clear),
    light,
    sheen: rough ? scale(reflected.light, clear) : none,
    shine: veiled(world, glow, clear),
    normal,
    away,
  }
}

const hidden = ({ haze }: World, away: number): number => (haze ? 1 - Math.exp((-3 * away) / haze.reach) : 0)
const veiled = ({ haze }: World, light: Vec, clear: number): Vec =>
  haze ? mix(haze.light, light, clear) : light

function nearest({ shapes }: World, from: Vec, direction: Vec): { shape: Shape | undefined; away: number } {
  let away = Infinity
  let shape: Shape | undefined
  for (const candidate of shapes) {
    const distance = candidate.distance(from, direction)
    if (distance < away) {
      away = distance
      shape = candidate
    }
  }
  return { shape, away }
}

function facing(shape: Shape, point: Vec, direction: Vec): { normal: Vec; surface: Surface } {
  const { normal, surface } = shape.look(point)
  return { normal: dot(normal, direction) > 0 ? scale(normal, -1) : normal, surface }
}

/** Light that comes straight from the sun and the lamps. */
function direct(world: World, start: Vec, normal: Vec, dice: Dice): Vec {
  let sum = none
  const { sun, lamps = [] } = world
  if (sun) {
    const towards = normalise(add(sun.towards, scale(anywhere(dice), sun.spread)))
    const slant = dot(towards, normal)
    if (slant > 0 && !blocked(world, start, towards, horizon)) sum = add(sum, scale(sun.light, slant))
  }
  for (const lamp of lamps) sum = add(sum, fromLamp(world, lamp, start, normal, dice))
  return sum
}

function fromLamp(world: World, lamp: Lamp, start: Vec, normal: Vec, dice: Dice): Vec {
  const way = subtract(add(lamp.place, scale(anywhere(dice), lamp.radius)), start)
  const away = length(way)
  const towards = scale(way, 1 / away)
  const slant = dot(towards, normal)
  if (slant <= 0 || blocked(world, start, towards, away - lamp.radius)) return none
  return scale(lamp.light, slant / Math.max(0.05, away * away))
}

const blocked = ({ shapes }: World, start: Vec, towards: Vec, until: number): boolean =>
  shapes.some((shape) => shape.distance(start, towards) < until)

/** Light from the sky and from what stands around: one direction by chance, the likelier the more upright. */
function bounced(world: World, start: Vec, normal: Vec, dice: Dice): Vec {
  return glimpse(world, start, normalise(add(normal, scale(anywhere(dice), 0.999))), dice)
}

function mirrored(world: World, start: Vec, direction: Vec, normal: Vec, surface: Surface, dice: Dice) {
  const { mirror = 0, rough = 0 } = surface
  if (mirror === 0) return { share: 0, light: none }
  const upright = Math.max(0, -dot(direction, normal))
  const share = mirror + (1 - mirror) * (1 - rough) * (1 - upright) ** 5
  const straight = along(direction, normal, 2 * upright)
  const strayed = rough > 0 ? normalise(add(straight, scale(anywhere(dice), rough))) : straight
  const light = dot(strayed, normal) > 0 ? glimpse(world, start, strayed, dice) : none
  const tint = mirror > 0.3 ? mix(grey(1), surface.colour, 0.8) : grey(1)
  return { share, light: scale(multiply(light, tint), share) }
}

/** A look at the second glance: direct light only, and what would come after it guessed. */
function glimpse(world: World, from: Vec, direction: Vec, dice: Dice): Vec {
  const { shape, away } = nearest(world, from, direction)
  if (!shape) return dimmed(world.sky(direction))
  const point = along(from, direction, away)
  const { normal, surface } = facing(shape, point, direction)
  const light = add(direct(world, along(point, normal, 0.004), normal, dice), world.ambient)
  const seen = add(multiply(surface.colour, light), surface.glow ?? none)
  return dimmed(veiled(world, seen, 1 - hidden(world, away)))
}

/** Rare very bright finds would leave white specks. */
const dimmed = (light: Vec): Vec =>
  vec(Math.min(brightest, light.x), Math.min(brightest, light.y), Math.min(brightest, light.z))

/** A point on the unit ball. */
function anywhere(dice: Dice): Vec {
  const height = 2 * dice() - 1
  const around = 2 * Math.PI * dice()
  const across = Math.sqrt(1 - height * height)
  return vec(across * Math.cos(around), height, across * Math.sin(around))
}

export interface Camera {
  stands: Vec
  looksAt: Vec
  /** How much wider than its distance the view is: 1 is a wide lens, 0.3 a long one. */
  view: number
}

/** The direction of the ray through a point of the image, x from -0.5 to 0.5, y in the same unit, upwards. */
export function rayThrough({ stands, looksAt, view }: Camera): (x: number, y: number) => Vec {
  const ahead = normalise(subtract(looksAt, stands))
  const right = normalise(cross(ahead, vec(0, 1, 0)))
  const up = cross(right, ahead)
  return (x, y) => normalise(add(ahead, add(scale(right, x * view), scale(up, y * view))))
}
