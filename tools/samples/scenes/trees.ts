import { svg, times } from '../svg.ts'
import { type Dice, diceFor } from '../tracer/chance.ts'
import { panel, type Shape } from '../tracer/shapes.ts'
import { paint, type Texture } from '../tracer/texture.ts'
import { type Vec, vec } from '../tracer/vec.ts'

/** A forest of flat firs that face +z; `spot` says where the next one stands. */
export async function conifers(count: number, seed: number, spot: (dice: Dice) => Vec): Promise<Shape[]> {
  const dice = diceFor(seed)
  const kinds = await Promise.all([1, 2, 3].map((kind) => paint(fir(kind))))
  return Array.from({ length: count }, () =>
    planted(kinds[Math.floor(dice() * kinds.length)], spot(dice), 4 + 4 * dice(), 0.46),
  ).flat()
}

/** A leafy street tree. */
export const broadleaf = async (foot: Vec, height: number, seed: number): Promise<Shape[]> =>
  planted(await paint(leafy(seed)), foot, height, 0.75)

function planted(kind: Texture | undefined, foot: Vec, height: number, slender: number): Shape[] {
  const width = height * slender
  return kind
    ? [panel(vec(foot.x - width / 2, foot.y, foot.z), vec(width, 0, 0), vec(0, height, 0), kind)]
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

/** Leaves heaped into a crown: dark ones inside and below first, bright ones outside and above last. */
function leafy(seed: number): string {
  const dice = diceFor(seed * 131)
  const leaf = (at: number): string => {
    const around = 2 * Math.PI * dice()
    const out = Math.sqrt(dice())
    const lobes = 1 + 0.13 * Math.sin(around * 5 + seed)
    const x = 300 + Math.cos(around) * out * 250 * lobes
    const y = 270 + Math.sin(around) * out * 230 * lobes
    const light = 0.35 + (0.5 * at) / 2600 + 0.25 * ((x - y) / 600) + 0.3 * dice()
    const [red, green, blue] = [70 * light, 128 * light, 34 * light].map(Math.round)
    return `<ellipse transform="translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${Math.round(dice() * 180)})" rx="${(9 + 5 * dice()).toFixed(1)}" ry="5" fill="rgb(${red},${green},${blue})"/>`
  }
  const trunk = `<path d="M288 800 L291 420 L250 330 M300 440 L352 340" stroke="#4a3a2c" stroke-width="17" fill="none"/>
    <path d="M283 800 L290 400 H310 L317 800 Z" fill="#4f3f30"/>`
  return svg(600, 800, trunk + times(2600, leaf))
}
