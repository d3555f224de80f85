import { letters } from '../lettering.ts'
import { rect, svg, times } from '../svg.ts'
import { diceFor } from '../tracer/chance.ts'
import { ball, block, floor, panel, plain, post, type Shape } from '../tracer/shapes.ts'
import { heavens } from '../tracer/skies.ts'
import { paint } from '../tracer/texture.ts'
import { colour, vec } from '../tracer/vec.ts'
import { paving } from './grounds.ts'
import type { Scene } from './scene.ts'

const wall = plain({ colour: colour('#4a6f7a'), mirror: 0.03, rough: 0.3 })
const timber = plain({ colour: colour('#27404a'), mirror: 0.03, rough: 0.2 })

/** A bakery opens before dawn; its window lights the pavement. */
export async function bakery(): Promise<Scene> {
  return {
    world: {
      shapes: [
        floor(paving(vec(0.3, 0.29, 0.28), 0.5, 0.05, 0.12)),
        ...(await front()),
        ...(await chalkboard()),
        ...bay(-3.5),
        ...bay(3.45),
      ],
      sky: heavens({ zenith: vec(0.08, 0.13, 0.3), horizon: vec(0.42, 0.36, 0.46) }),
      lamps: [
        { place: vec(-1.9, 3.5, 0.75), light: vec(2.6, 1.9, 1.1), radius: 0.1 },
        { place: vec(0.9, 3.5, 0.75), light: vec(2.6, 1.9, 1.1), radius: 0.1 },
        { place: vec(-0.6, 1.7, 0.6), light: vec(2.2, 1.5, 0.75), radius: 0.5 },
      ],
      ambient: vec(0.13, 0.13, 0.17),
    },
    camera: { stands: vec(0.9, 1.6, 7.2), looksAt: vec(0.2, 1.72, 0), view: 0.98 },
    development: { brightness: 1.25, bloom: 0.45 },
  }
}

async function front(): Promise<Shape[]> {
  const sign = await paint(signDrawing())
  const window = await paint(windowDrawing())
  const door = await paint(doorDrawing())
  const glass = { mirror: 0.05, glow: 0.62 }
  return [
    block(vec(-9, 0, -1), vec(9, 7, 0), wall),
    block(vec(-3, 2.75, 0), vec(3, 3.45, 0.16), timber),
    panel(vec(-2.9, 2.8, 0.165), vec(5.8, 0, 0), vec(0, 0.6, 0), sign, { mirror: 0.03, rough: 0.2 }),
    block(vec(-3.05, 3.45, 0), vec(3.05, 3.55, 0.3), timber),
    block(vec(-2.75, 0, 0), vec(1.15, 0.62, 0.14), timber),
    panel(vec(-2.6, 0.64, 0.03), vec(3.6, 0, 0), vec(0, 2.05, 0), window, glass),
    panel(vec(1.45, 0.05, 0.03), vec(1.2, 0, 0), vec(0, 2.64, 0), door, { glow: glass.glow }),
    ...[-2.75, 1.0, 1.3, 2.65].map((x) => block(vec(x, 0, 0), vec(x + 0.15, 2.75, 0.14), timber)),
  ]
}

async function chalkboard(): Promise<Shape[]> {
  const board = await paint(
    svg(
      400,
      560,
      `${rect(0, 0, 400, 560, '#6b4a2b')}${rect(24, 24, 352, 512, '#1c2322')}
      ${letters('FRESH', 200, 190, { height: 92, colour: '#f3efe2', pen: 14, gap: 18, stretch: 0.9 })}
      ${letters('BREAD', 200, 340, { height: 92, colour: '#f3d48a', pen: 14, gap: 18, stretch: 0.9 })}
      <path d="M90 440 q110 -70 220 0 q-10 40 -110 40 q-100 0 -110 -40 Z" fill="#c98a45"/>
      <path d="M150 420 l20 40 M195 410 l20 46 M240 420 l20 40" stroke="#7d4f22" stroke-width="9"/>`,
    ),
  )
  return [panel(vec(2.2, 0, 1.25), vec(0.78, 0, -0.12), vec(0, 1.1, -0.26), board, { glow: 0.25 })]
}

/** A tub with a clipped bay tree. */
const bay = (x: number): Shape[] => [
  post(vec(x, 0, 0.75), 0.24, 0.45, plain({ colour: vec(0.3, 0.12, 0.07) })),
  post(vec(x, 0.4, 0.75), 0.035, 0.9, plain({ colour: vec(0.1, 0.07, 0.05) })),
  ball(vec(x, 1.5, 0.75), 0.42, plain({ colour: vec(0.035, 0.085, 0.03) })),
]

const signDrawing = (): string =>
  svg(
    1160,
    120,
    `${rect(0, 0, 1160, 120, '#1f343d')}${rect(8, 8, 1144, 104, 'none', 'stroke="#d9b25f" stroke-width="3"')}
    ${letters('BAKERY', 580, 95, { height: 70, colour: '#f1cf86', pen: 15, gap: 44, stretch: 1.1 })}`,
  )

/** Three shelves in warm light: leaning baguettes, loaves, and a heap of rolls. */
function windowDrawing(): string {
  const dice = diceFor(5)
  const bread = (x: number, y: number, wide: number, high: number, lean: number): string =>
    `<ellipse transform="translate(${x} ${y}) rotate(${lean})" rx="${wide}" ry="${high}" fill="url(#crust${Math.floor(3 * dice())})"/>`
  const baguettes = times(16, (at) => bread(40 + at * 43 + 8 * dice(), 122, 15, 70, 6 + 10 * dice()))
  const loaves = times(6, (at) =>
    bread(75 + at * 115 + 20 * dice(), 305 - 6 * dice(), 66 + 8 * dice(), 42, 0),
  )
  const rolls = times(26, () => bread(40 + 640 * dice(), 462 - 26 * dice(), 36, 27, 20 * dice() - 10))
  const shelves = times(
    3,
    (shelf) =>
      rect(0, 190 + shelf * 150, 720, 14, '#5d3817') +
      rect(0, 204 + shelf * 150, 720, 12, '#000', 'opacity=".3"'),
  )
  const crusts = times(
    3,
    (
      at,
    ) => `<radialGradient id="crust${at}" cx=".42" cy=".25" r=".85"><stop offset="0" stop-color="${['#dba35c', '#c98c48', '#e6b978'][at]}"/>
      <stop offset=".6" stop-color="${['#a9682b', '#93531e', '#bb7c38'][at]}"/><stop offset="1" stop-color="#5b300f"/></radialGradient>`,
  )
  return svg(
    720,
    500,
    `<defs>${crusts}<radialGradient id="light" cx=".5" cy=".1" r="1"><stop offset="0" stop-color="#ffd389"/><stop offset="1" stop-color="#8a4d1c"/></radialGradient></defs>
    ${rect(0, 0, 720, 500, 'url(#light)')}${baguettes}${loaves}${rolls}${shelves}
    <path d="M240 0 V500 M480 0 V500" stroke="#27404a" stroke-width="10"/>`,
  )
}

const doorDrawing = (): string =>
  svg(
    360,
    790,
    `${rect(0, 0, 360, 790, '#27404a')}${rect(40, 40, 280, 480, '#d99f50')}${rect(40, 560, 280, 180, '#1f343d')}
    <path d="M180 110 L110 200 M180 110 L250 200" stroke="#3a2b1a" stroke-width="4"/>
    ${rect(70, 200, 220, 110, '#f6efdc', 'rx="10"')}${letters('OPEN', 180, 282, { height: 56, colour: '#8f1f1a', pen: 17, gap: 20 })}
    <circle cx="322" cy="500" r="12" fill="#e8c36a"/>`,
  )
