import { letters } from '../lettering.ts'
import { svg, times } from '../svg.ts'
import { cloudy, diceFor, noise } from '../tracer/chance.ts'
import { ball, block, type Coat, panel, plain, post, type Shape } from '../tracer/shapes.ts'
import { heavens, towards } from '../tracer/skies.ts'
import { terrain } from '../tracer/terrain.ts'
import { paint } from '../tracer/texture.ts'
import { scale, vec } from '../tracer/vec.ts'
import { alps } from './alps.ts'
import { grass } from './grounds.ts'
import type { Scene } from './scene.ts'
import { conifers } from './trees.ts'

const wood: Coat = (point) => {
  const grain = cloudy(point.x * 14, point.y * 1.3, 4)
  return { colour: scale(vec(0.3, 0.18, 0.09), 0.55 + 0.8 * grain) }
}

/** A fingerpost on an alpine meadow. */
export async function fingerpost(): Promise<Scene> {
  return {
    world: {
      shapes: [
        terrain({ low: vec(-60, -9, -90), high: vec(60, 9, 12), step: 0.35, heightAt: meadow, coat: grass }),
        alps({ foot: 110, peak: 300, seed: 5.1 }),
        post(vec(0, -0.3, 0), 0.085, 3.15, wood),
        ball(vec(0, 2.86, 0), 0.11, wood),
        ...(await board('SUMMIT 5 KM', 2.26, 1, 1)),
        ...(await board('LAKE 2 KM', 1.76, -1, 2)),
        ...(await board('VILLAGE', 1.26, 1, 3)),
        ...stones(),
        ...(await conifers(34, 21, (dice) => vec(-34 + 70 * dice(), -1.6, -32 - 22 * dice()))),
      ],
      sky: heavens({
        zenith: vec(0.08, 0.26, 0.75),
        horizon: vec(0.6, 0.78, 0.98),
        clouds: { light: vec(1.3, 1.3, 1.3), amount: 0.6, seed: 31 },
      }),
      sun: { towards: towards(60, 38), light: vec(2.9, 2.6, 2.2), spread: 0.03 },
      haze: { light: vec(0.66, 0.78, 0.92), reach: 12000 },
      ambient: vec(0.2, 0.21, 0.22),
    },
    camera: { stands: vec(0.5, 1.75, 5.4), looksAt: vec(0.12, 1.72, 0), view: 0.82 },
  }
}

const meadow = (x: number, z: number): number =>
  1.6 * cloudy(x * 0.06 + 3, z * 0.06, 3) - 0.85 + 0.05 * noise(x * 1.3, z * 1.3) - Math.max(0, -z - 4) * 0.05

/** An arrow of painted wood; it points to the right (1) or to the left (-1). */
async function board(text: string, y: number, way: 1 | -1, seed: number): Promise<Shape[]> {
  const texture = await paint(arrow(text, way, seed))
  const left = way === 1 ? -0.38 : -1.32
  const back = block(
    vec(left + (way === 1 ? 0 : 0.2), y + 0.02, 0.09),
    vec(left + (way === 1 ? 1.5 : 1.7), y + 0.38, 0.115),
    wood,
  )
  return [back, panel(vec(left, y, 0.12), vec(1.7, 0, 0), vec(0, 0.4, 0), texture)]
}

function arrow(text: string, way: 1 | -1, seed: number): string {
  const dice = diceFor(seed * 31)
  const outline = '<path d="M10 10 H1040 L1180 140 L1040 270 H10 Z" fill="#e0b04e"/>'
  const fibres = times(26, () => {
    const y = 14 + 250 * dice()
    return `<path d="M16 ${y} Q500 ${y + 12 * dice() - 6} 1050 ${y}" stroke="#8a5a20" stroke-width="${1 + 2 * dice()}" opacity="${0.15 + 0.25 * dice()}" fill="none"/>`
  })
  const shape = `${outline}${fibres}`
  const turned = way === 1 ? shape : `<g transform="translate(1190 0) scale(-1 1)">${shape}</g>`
  return svg(
    1190,
    280,
    `${turned}${letters(text, way === 1 ? 540 : 650, 198, { height: 116, colour: '#2b1708', pen: 15, gap: 20, stretch: 0.92 })}`,
  )
}

function stones(): Shape[] {
  const dice = diceFor(12)
  const rock = plain({ colour: vec(0.36, 0.35, 0.34) })
  return Array.from({ length: 16 }, () => {
    const [x, z] = [-0.7 + 1.4 * dice(), -0.3 + 0.9 * dice()]
    return ball(vec(x, meadow(x, z), z), 0.05 + 0.1 * dice(), rock)
  })
}
