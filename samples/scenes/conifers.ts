import { svg, times } from '../svg.ts'
import { type Dice, diceFor } from '../tracer/chance.ts'
import { picture, type Shape } from '../tracer/shapes.ts'
import { paint, type Texture } from '../tracer/texture.ts'
import type { Vec } from '../tracer/vec.ts'
import { vec } from '../tracer/vec.ts'

/** A forest of flat firs that face +z; `spot` says where the next one stands. */
export async function conifers(count: number, seed: number, spot: (dice: Dice) => Vec): Promise<Shape[]> {
  const dice = diceFor(seed)
  const kinds = await Promise.all([1, 2, 3].map((kind) => paint(fir(kind))))
  return Array.from({ length: count }, () =>
    planted(kinds[Math.floor(dice() * kinds.length)], spot(dice), 4 + 4 * dice()),
  ).flat()
}

function planted(kind: Texture | undefined, foot: Vec, height: number): Shape[] {
  const width = height * 0.46
  return kind
    ? [picture(vec(foot.x - width / 2, foot.y, foot.z), vec(width, 0, 0), vec(0, height, 0), kind)]
    : []
}

function fir(seed: number): string {
  const dice = diceFor(seed * 77)
  const branch = (at: number): string => {
    const y = 18 + at * 8.6
    const reach = 8 + at * 2.05
    const [left, right] = [reach * (0.75 + 0.4 * dice()), reach * (0.75 + 0.4 * dice())]
    const tone = Math.round(30 + 26 * dice())
    const droop = 9 + 5 * dice()
    return `<path d="M100 ${y - 16} Q${100 - left * 0.4} ${y} ${100 - left * 2} ${y + droop} Q${100 - left * 0.8} ${y + 5} 100 ${y + 13}
      Q${100 + right * 0.8} ${y + 5} ${100 + right * 2} ${y + droop} Q${100 + right * 0.4} ${y} 100 ${y - 16} Z"
      fill="rgb(${tone * 0.75},${tone * 1.35},${tone * 0.7})"/>`
  }
  return svg(200, 440, `<path d="M94 380 L97 40 H103 L106 440 H94 Z" fill="#3a2a1c"/>${times(44, branch)}`)
}
