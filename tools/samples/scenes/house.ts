import { letters } from '../lettering.ts'
import { rect, svg, times } from '../svg.ts'
import { diceFor } from '../tracer/chance.ts'
import { block, panel, plain, type Shape } from '../tracer/shapes.ts'
import { paint } from '../tracer/texture.ts'
import { colour, vec } from '../tracer/vec.ts'

export interface House {
  /** Metres from the left end of the street. */
  left: number
  width: number
  height: number
  wall: string
  trim: string
  storeys: number
  bays: number
  shop?: { sign: string; board: string; lettering?: string; awning?: string }
  seed: number
}

/** Pixels per metre of the painted fronts. */
const fine = 110
const ground = 3.2

/** A town house whose front stands at the given z and looks towards +z; at night its windows shine. */
export async function house(plan: House, z: number, night = false): Promise<Shape[]> {
  const { left, width, height, trim, shop } = plan
  const size = [width * fine, height * fine] as const
  const front = (texture: Awaited<ReturnType<typeof paint>>, forward: number, options = {}) =>
    panel(vec(left, 0, z + forward), vec(width, 0, 0), vec(0, height, 0), texture, options)
  const moulding = plain({ colour: colour(trim) })
  const shapes = [
    front(await paint(svg(...size, wallDrawing(plan))), 0),
    front(await paint(svg(...size, panes(plan, night))), 0.02, night ? { glow: 0.75 } : { mirror: 0.12 }),
    block(vec(left, height - 0.35, z), vec(left + width, height, z + 0.35), moulding),
    block(vec(left, ground + 0.02, z), vec(left + width, ground + 0.2, z + 0.16), moulding),
    block(vec(left, 0, z - 0.02), vec(left + width, height - 0.01, z - 0.01), moulding),
  ]
  if (!shop) return shapes
  const board = await paint(
    svg(width * 150, 105, boardDrawing(shop.sign, shop.board, shop.lettering, width * 150)),
  )
  shapes.push(
    panel(vec(left, ground - 0.68, z + 0.1), vec(width, 0, 0), vec(0, 0.7, 0), board, {
      glow: night ? 0.8 : 0,
    }),
  )
  if (shop.awning) {
    const cloth = await paint(svg(width * 80, 100, awningDrawing(shop.awning, width)))
    shapes.push(panel(vec(left + 0.2, 2.1, z + 1.15), vec(width - 0.4, 0, 0), vec(0, 0.42, -1.1), cloth))
  }
  return shapes
}

function wallDrawing(plan: House): string {
  const { width, height, wall, trim, seed } = plan
  const dice = diceFor(seed)
  const stains = times(60, () => {
    const tone = dice() < 0.5 ? '#000000' : '#ffffff'
    return `<ellipse cx="${dice() * width * fine}" cy="${dice() * height * fine}" rx="${40 + dice() * 120}" ry="${20 + dice() * 90}" fill="${tone}" opacity=".025"/>`
  })
  const frames = openings(plan).map(
    ({ x, y, w, h }) =>
      rect(x - 12, y - 12, w + 24, h + 26, trim) + rect(x - 20, y + h + 10, w + 40, 12, trim),
  )
  return rect(0, 0, width * fine, height * fine, wall) + stains + frames.join('')
}

interface Opening {
  x: number
  y: number
  w: number
  h: number
}

/** Upper windows, then the door and the shop window or two more windows. */
function openings({ width, height, storeys, bays, shop }: House): Opening[] {
  const storey = ((height - ground - 0.4) / storeys) * fine
  const bay = (width / bays) * fine
  const found: Opening[] = []
  for (let row = 0; row < storeys; row += 1) {
    for (let column = 0; column < bays; column += 1) {
      found.push({
        x: (column + 0.5) * bay - 50,
        y: 0.5 * fine + row * storey + storey * 0.16,
        w: 100,
        h: storey * 0.62,
      })
    }
  }
  const foot = height * fine
  const wide = width * fine
  found.push({ x: wide - 150, y: foot - 240, w: 105, h: 235 })
  found.push(
    shop ? { x: 45, y: foot - 240, w: wide - 240, h: 185 } : { x: 60, y: foot - 230, w: 130, h: 150 },
  )
  return found
}

function panes(plan: House, night: boolean): string {
  const dice = diceFor(plan.seed + 1)
  const sky = `<defs><linearGradient id="sky" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#7d95ab"/>
    <stop offset=".5" stop-color="#2c3a48"/><stop offset="1" stop-color="#141b22"/></linearGradient></defs>`
  const all = openings(plan)
  return (
    sky +
    all.map((opening, at) => pane(opening, glass(night, at >= all.length - 1, dice()), plan.trim)).join('')
  )
}

function glass(night: boolean, shopWindow: boolean, chance: number): string {
  if (!night) return 'url(#sky)'
  if (shopWindow || chance < 0.22) return '#ffc978'
  return chance < 0.36 ? '#d98a3a' : chance < 0.44 ? '#7f98c9' : '#0a0c12'
}

const pane = ({ x, y, w, h }: Opening, fill: string, trim: string): string =>
  `${rect(x, y, w, h, fill)}<path d="M${x + w / 2} ${y} v${h} M${x} ${y + h * 0.38} h${w}" stroke="${trim}" stroke-width="7"/>`

const boardDrawing = (sign: string, board: string, lettering = '#f6ead0', wide: number): string =>
  `${rect(0, 0, wide, 105, board)}${rect(6, 6, wide - 12, 93, 'none', `stroke="${lettering}" stroke-width="3"`)}
  ${letters(sign, wide / 2, 80, { height: 56, colour: lettering, pen: 15, gap: 34 })}`

const awningDrawing = (stripe: string, width: number): string =>
  times(Math.ceil(width * 2), (at) => rect(at * 40, 0, 40, 100, at % 2 === 0 ? stripe : '#f4efe4'))
