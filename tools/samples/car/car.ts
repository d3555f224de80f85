import sharp from 'sharp'
import { type Sculpture, stand } from '../tracer/sculpture.ts'
import type { Shape, Surface } from '../tracer/shapes.ts'
import { paint, type Texture } from '../tracer/texture.ts'
import { add, colour, mix, scale, type Vec, vec } from '../tracer/vec.ts'
import { bodyGrid } from './body.ts'
import type { Grid } from './grid.ts'
import type { Model } from './model.ts'
import { frontSheet, type Ink, inks, rearSheet, rimSheet, sideSheet, views } from './sheets.ts'

export interface Finish {
  /** `#rrggbb` of the paint. */
  paint: string
  /** How brightly the head and tail lamps burn; 0 is off. */
  lights?: number
}

/** A car on its wheels at `place`, its nose turned by `heading` radians from the x axis. */
export async function car(model: Model, finish: Finish, place: Vec, heading: number): Promise<Shape> {
  return stand(await sculpt(model, finish), add(place, vec(0, middle, 0)), heading)
}

/** Sculptures stand round their origin: this is how far up the blueprints' middle is. */
const middle = 0.8
const wheelWidth = { inner: 0.66, outer: 0.86 }

async function sculpt(model: Model, finish: Finish): Promise<Sculpture> {
  const grid = bodyGrid(model)
  const coat = await coating(model, finish)
  return {
    half: vec(2.42, middle, 1.12),
    grain: 0.012,
    skin: (x, y, z) =>
      Math.min(shell(model, grid, x, y + middle, Math.abs(z)), wheels(model, x, y + middle, Math.abs(z))),
    coat: (point, normal) => coat(vec(point.x, point.y + middle, Math.abs(point.z)), normal),
  }
}

/** The body with the wheels' arches cut out of it. */
function shell(model: Model, grid: Grid, x: number, y: number, z: number): number {
  const arch = model.wheel + 0.055 - reach(fromAxle(model, x), y - model.wheel)
  return Math.max(grid.at(x, y, z), Math.min(arch, z - 0.55))
}

function wheels(model: Model, x: number, y: number, z: number): number {
  const across = reach(fromAxle(model, x), y - model.wheel)
  const dish = across < model.wheel * 0.68 ? 0.035 : 0
  const flank = Math.max(z - wheelWidth.outer + dish, wheelWidth.inner - z)
  const tread = across - model.wheel
  return (
    Math.min(Math.max(flank, tread), 0) + reach(Math.max(flank + 0.03, 0), Math.max(tread + 0.03, 0)) - 0.03
  )
}

/** Math.hypot guards against overflow, at ten times the time. */
const reach = (a: number, b: number): number => Math.sqrt(a * a + b * b)

const fromAxle = ({ axles }: Model, x: number): number =>
  x > (axles.front + axles.rear) / 2 ? x - axles.front : x - axles.rear

async function coating(model: Model, { paint: paintColour, lights = 0 }: Finish) {
  const materials = materialTable(colour(paintColour), lights)
  const [side, front, rear] = [
    await inked(sideSheet(model)),
    await inked(frontSheet(model)),
    await inked(rearSheet(model)),
  ]
  const rim = await paint(rimSheet())
  const inkAt = (point: Vec, normal: Vec): Ink | undefined => {
    const height = 1 - point.y / views.end.height
    const beside = Math.abs(normal.z) > 0.6
    if (beside) return side((point.x - views.side.left) / views.side.width, height)
    if (point.y > 1.25 && point.x < model.roof.front && point.x > model.roof.rear) return undefined
    return (point.x > 0 ? front : rear)((point.z - views.end.left) / views.end.width, height)
  }
  return (point: Vec, normal: Vec): Surface => {
    const around = Math.hypot(fromAxle(model, point.x), point.y - model.wheel)
    if (around < model.wheel + 0.03 && point.z > 0.5) return wheelSurface(model, rim, point, around)
    if (around < model.wheel + 0.062 && point.z < 0.84) return materials.trim
    if (point.z > 0.9 && point.y > 0.95 && normal.x < -0.6) return materials.glass
    return materials[inkAt(point, normal) ?? 'paint']
  }
}

function wheelSurface(model: Model, rim: Texture, point: Vec, around: number): Surface {
  if (point.z < 0.78) return { colour: vec(0.012, 0.012, 0.013) }
  const u = 0.5 + fromAxle(model, point.x) / model.wheel / 2
  const shade = rim.colour(u, 0.5 - (point.y - model.wheel) / model.wheel / 2)
  return around < model.wheel * 0.74
    ? { colour: scale(shade, 0.8), mirror: 0.25, rough: 0.25 }
    : { colour: shade, mirror: 0.02, rough: 0.4 }
}

function materialTable(paintColour: Vec, lights: number): Record<Ink | 'paint', Surface> {
  return {
    paint: { colour: paintColour, mirror: 0.05 },
    glass: { colour: vec(0.012, 0.015, 0.018), mirror: 0.09 },
    trim: { colour: vec(0.012, 0.012, 0.013), mirror: 0.02, rough: 0.3 },
    gap: { colour: mix(scale(paintColour, 0.05), vec(0.01, 0.01, 0.01), 0.5) },
    chrome: { colour: vec(0.75, 0.76, 0.78), mirror: 0.6, rough: 0.08 },
    tailLamp: {
      colour: vec(0.42, 0.012, 0.012),
      mirror: 0.07,
      glow: vec(3.2 * lights, 0.12 * lights, 0.06 * lights),
    },
    headLamp: {
      colour: vec(0.7, 0.72, 0.74),
      mirror: 0.1,
      glow: scale(vec(5, 4.7, 4), lights),
    },
    lens: { colour: vec(0.06, 0.065, 0.07), mirror: 0.2 },
    brakeLamp: { colour: vec(0.8, 0.05, 0.03), mirror: 0.07, glow: scale(vec(4.5, 0.5, 0.25), lights) },
  }
}

/** Reads a blueprint's ink at u, v. */
async function inked(svg: string): Promise<(u: number, v: number) => Ink | undefined> {
  const { data, info } = await sharp(Buffer.from(svg))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const names = new Map(
    Object.entries(inks).map(([name, hex]) => [Number.parseInt(hex.slice(1), 16), name as Ink]),
  )
  return (u, v) => {
    const column = Math.min(info.width - 1, Math.max(0, Math.floor(u * info.width)))
    const row = Math.min(info.height - 1, Math.max(0, Math.floor(v * info.height)))
    const at = 4 * (row * info.width + column)
    return (data[at + 3] ?? 0) < 128 ? undefined : names.get(data.readUIntBE(at, 3))
  }
}
