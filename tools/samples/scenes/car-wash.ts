import { car } from '../car/car.ts'
import { hatchback } from '../car/hatchback.ts'
import { plate } from '../car/plate.ts'
import { letters } from '../lettering.ts'
import { rect, svg, times } from '../svg.ts'
import { noise } from '../tracer/chance.ts'
import { block, type Coat, floor, panel, plain, post, type Shape } from '../tracer/shapes.ts'
import { heavens, towards } from '../tracer/skies.ts'
import { paint } from '../tracer/texture.ts'
import { colour, mix, scale, vec } from '../tracer/vec.ts'
import { asphalt } from './grounds.ts'
import type { Scene } from './scene.ts'

/** A blue car rolls into a car wash in the evening sun; the floor is wet. */
export async function carWash(): Promise<Scene> {
  const place = vec(-0.1, 0, 0.75)
  const heading = 1.18
  const sun = { towards: towards(125, 26), light: vec(3.4, 2.7, 1.9), spread: 0.03 }
  return {
    world: {
      shapes: [
        floor(asphalt(vec(0.16, 0.165, 0.17), 0.9, 3)),
        await car(hatchback, { paint: '#2a6fb0', lights: 0.7 }, place, heading),
        await plate('YHI9 OTZ', hatchback, 'rear', place, heading, { paper: '#f4c62a' }),
        ...(await bay()),
        block(vec(4.6, 0, -9), vec(40, 1.7, -8), hedge),
        block(vec(-40, 0, -9), vec(-4.6, 1.7, -8), hedge),
      ],
      sky: heavens({
        zenith: vec(0.14, 0.3, 0.7),
        horizon: vec(0.9, 0.62, 0.4),
        clouds: { light: vec(1.2, 0.95, 0.8), amount: 0.5, seed: 4 },
      }),
      sun,
      haze: { light: vec(0.8, 0.6, 0.42), reach: 1200 },
      lamps: [
        { place: vec(-1.6, 3.0, -3.6), light: vec(3, 3.2, 3.4), radius: 0.25 },
        { place: vec(1.9, 3.0, -3.6), light: vec(3, 3.2, 3.4), radius: 0.25 },
      ],
      ambient: vec(0.25, 0.25, 0.28),
    },
    camera: { stands: vec(-1.9, 1.6, 6.9), looksAt: vec(-0.05, 1.5, 0), view: 1 },
    development: { brightness: 1, bloom: 0.3 },
  }
}

const hedge: Coat = ({ x, y, z }) => ({
  colour: scale(
    vec(0.06, 0.12, 0.035),
    0.25 + 0.9 * noise(x * 14 + z * 9, y * 14) + 0.5 * noise(x * 3, y * 3),
  ),
})

async function bay(): Promise<Shape[]> {
  const white = plain({ colour: vec(0.72, 0.74, 0.76), mirror: 0.03, rough: 0.2 })
  const sign = await paint(signDrawing())
  const tiles = await paint(tileDrawing())
  return [
    block(vec(-3.6, 0, -2.3), vec(-2.9, 3.1, -1.6), white),
    block(vec(2.9, 0, -2.3), vec(3.6, 3.1, -1.6), white),
    block(vec(-3.9, 3.1, -9), vec(3.9, 4.1, -1.4), white),
    panel(vec(-3.9, 3.1, -1.39), vec(7.8, 0, 0), vec(0, 1, 0), sign, { glow: 0.5, mirror: 0.03 }),
    panel(vec(-3.3, 0, -9), vec(6.6, 0, 0), vec(0, 3.1, 0), tiles, { mirror: 0.04, rough: 0.05 }),
    panel(vec(-3.3, 0, -1.7), vec(0, 0, -7.3), vec(0, 3.1, 0), tiles, { mirror: 0.04, rough: 0.05 }),
    panel(vec(3.3, 0, -9), vec(0, 0, 7.3), vec(0, 3.1, 0), tiles, { mirror: 0.04, rough: 0.05 }),
    brush(-2.1, '#1f63c4', '#e9eef5'),
    brush(2.1, '#c4242f', '#e9eef5'),
  ]
}

function brush(x: number, one: string, other: string): Shape {
  const [dark, bright] = [colour(one), colour(other)]
  const bristles: Coat = (point) => {
    const around = Math.atan2(point.z + 3.6, point.x - x)
    const stripe = Math.sin(around * 6 + point.y * 5) > 0 ? dark : bright
    return { colour: scale(mix(stripe, dark, 0.2), 0.5 + 0.7 * noise(around * 60, point.y * 9)) }
  }
  return post(vec(x, 0.15, -3.6), 0.62, 2.7, bristles)
}

const signDrawing = (): string =>
  svg(
    1560,
    200,
    `${rect(0, 0, 1560, 200, '#0d4fa3')}${rect(0, 170, 1560, 14, '#f2c230')}${rect(0, 186, 1560, 14, '#e8edf3')}
    ${letters('CAR WASH', 780, 140, { height: 104, colour: '#ffffff', pen: 17, gap: 30, stretch: 1.15 })}`,
  )

const tileDrawing = (): string =>
  svg(
    1320,
    620,
    `${rect(0, 0, 1320, 620, '#c9d6de')}${rect(0, 250, 1320, 60, '#2f74bd')}
    ${times(33, (at) => rect(at * 40, 0, 2, 620, '#93a3ad'))}${times(16, (at) => rect(0, at * 40, 1320, 2, '#93a3ad'))}`,
  )
