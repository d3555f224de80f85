import { car } from '../car/car.ts'
import { plate } from '../car/plate.ts'
import { saloon } from '../car/saloon.ts'
import { letters } from '../lettering.ts'
import { rect, svg } from '../svg.ts'
import { ball, block, floor, panel, plain, post, type Shape } from '../tracer/shapes.ts'
import { heavens } from '../tracer/skies.ts'
import { paint } from '../tracer/texture.ts'
import { add, scale, type Vec, vec } from '../tracer/vec.ts'
import { asphalt, paving } from './grounds.ts'
import { house } from './house.ts'
import type { Scene } from './scene.ts'

const place = vec(0, 0, 0)
const heading = -0.72
const lampposts = [-5.2, 3.4]

/** A taxi waits on a wet street at night. */
export async function taxiNight(): Promise<Scene> {
  const warm = vec(15, 9.6, 4.8)
  return {
    world: {
      shapes: [
        floor(asphalt(vec(0.11, 0.11, 0.12), 1, 21)),
        block(vec(-30, 0, -9), vec(30, 0.14, -2.5), paving(vec(0.3, 0.29, 0.28), 0.6, 0.04, 0.15)),
        await car(saloon, { paint: '#f0b90a', lights: 1 }, place, heading),
        await plate('TX 4812', saloon, 'front', place, heading, { glow: 0.25 }),
        ...(await roofSign()),
        ...(await street()),
        ...lampposts.flatMap(lamppost),
      ],
      sky: heavens({ zenith: vec(0.008, 0.012, 0.035), horizon: vec(0.06, 0.055, 0.09) }),
      lamps: [
        ...lampposts.map((x) => ({ place: vec(x, 4.25, -2.6), light: warm, radius: 0.18 })),
        { place: vec(5, 5, 7.5), light: vec(16, 17, 21), radius: 0.6 },
      ],
      ambient: vec(0.035, 0.032, 0.04),
    },
    camera: { stands: vec(3, 1.4, 7), looksAt: vec(0.15, 1.16, 0), view: 0.82 },
    development: { brightness: 1.5, bloom: 0.7 },
  }
}

async function roofSign(): Promise<Shape[]> {
  const face = await paint(
    svg(
      500,
      170,
      `${rect(0, 0, 500, 170, '#fff6d8')}${letters('TAXI', 250, 132, { height: 96, colour: '#15130c', pen: 20, gap: 22, stretch: 1.1 })}`,
    ),
  )
  const ahead = vec(Math.cos(heading), 0, -Math.sin(heading))
  const right = vec(ahead.z, 0, -ahead.x)
  const foot = add(place, add(scale(ahead, -0.28), vec(0, 1.4, 0)))
  const side = (towards: Vec, sideways: Vec, long: number, deep: number): Shape =>
    panel(
      add(foot, add(scale(towards, deep / 2), scale(sideways, -long / 2))),
      scale(sideways, long),
      vec(0, 0.2, 0),
      face,
      { glow: 1.2 },
    )
  return [side(ahead, right, 0.6, 0.2), side(scale(ahead, -1), scale(right, -1), 0.6, 0.2)]
}

async function street(): Promise<Shape[]> {
  const front = -5.6
  const houses = await Promise.all([
    house(
      { left: -15, width: 6, height: 9.5, wall: '#6d7a83', trim: '#c9c7bd', storeys: 2, bays: 3, seed: 12 },
      front,
      true,
    ),
    house(
      { left: -9, width: 5.6, height: 8.6, wall: '#8a6a4c', trim: '#d5c8b0', storeys: 2, bays: 3, seed: 15 },
      front,
      true,
    ),
    house(
      {
        left: -3.4,
        width: 5.8,
        height: 9.2,
        wall: '#7b4a42',
        trim: '#cfc0ad',
        storeys: 2,
        bays: 3,
        seed: 19,
        shop: { sign: 'CAFE LUNA', board: '#3a1518', awning: '#7c2026' },
      },
      front,
      true,
    ),
    house(
      { left: 2.4, width: 6.4, height: 8.8, wall: '#5f6a5c', trim: '#c5c2b2', storeys: 2, bays: 3, seed: 23 },
      front,
      true,
    ),
  ])
  return houses.flat()
}

function lamppost(x: number): Shape[] {
  const iron = plain({ colour: vec(0.02, 0.022, 0.025), mirror: 0.05, rough: 0.2 })
  const globe = plain({ colour: vec(0.9, 0.85, 0.7), glow: vec(7, 4.8, 2.6) })
  return [post(vec(x, 0, -2.9), 0.055, 4.1, iron), ball(vec(x, 4.25, -2.9), 0.17, globe)]
}
