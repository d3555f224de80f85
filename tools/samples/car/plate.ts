import { letters } from '../lettering.ts'
import { rect, svg } from '../svg.ts'
import { panel, type Shape } from '../tracer/shapes.ts'
import { paint } from '../tracer/texture.ts'
import { add, scale, type Vec, vec } from '../tracer/vec.ts'
import type { Model } from './model.ts'

export interface PlateStyle {
  paper?: string
  ink?: string
  /** The blue strip at the left that European plates have. */
  strip?: boolean
  /** Light of its own, as from the lamp above it at night. */
  glow?: number
}

const size = { width: 0.54, height: 0.125 }

/** A number plate on the front or the rear of a car that stands at `place` with its nose turned by `heading`. */
export async function plate(
  text: string,
  model: Model,
  end: 'front' | 'rear',
  place: Vec,
  heading: number,
  style: PlateStyle = {},
): Promise<Shape> {
  const { x, y } = model.plates[end]
  const ahead = vec(Math.cos(heading), 0, -Math.sin(heading))
  const towards = scale(ahead, Math.sign(x))
  const right = vec(towards.z, 0, -towards.x)
  const middle = add(add(place, scale(ahead, x)), vec(0, y, 0))
  const corner = add(middle, add(scale(right, -size.width / 2), vec(0, -size.height / 2, 0)))
  const texture = await paint(drawing(text, style))
  return panel(corner, scale(right, size.width), vec(0, size.height, 0), texture, {
    mirror: 0.02,
    rough: 0.2,
    glow: style.glow ?? 0,
  })
}

function drawing(text: string, { paper = '#f2f2ec', ink = '#121216', strip = false }: PlateStyle): string {
  const left = strip ? 66 : 0
  return svg(
    1080,
    250,
    `${rect(0, 0, 1080, 250, '#202024', 'rx="24"')}${rect(10, 10, 1060, 230, paper, 'rx="18"')}
    ${strip ? `${rect(10, 10, 90, 230, '#1d3f9c', 'rx="18"')}<circle cx="55" cy="125" r="26" fill="none" stroke="#f4d23c" stroke-width="8" stroke-dasharray="6 7.6"/>` : ''}
    ${letters(text, 540 + left / 2, 205, { height: 160, colour: ink, pen: 15, gap: 20, stretch: 0.88 })}`,
  )
}
