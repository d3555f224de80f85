import type { Model } from './models.ts'
import type { Mark } from './outline.ts'

/** Pixels per metre of the painted blueprints. */
const fine = 300

/** The colours of the blueprints stand for materials; unpainted is the car's own paint. */
export const inks = {
  glass: '#0000ff',
  trim: '#000000',
  gap: '#202020',
  chrome: '#c0c0c0',
  tailLamp: '#ff0000',
  headLamp: '#ffff00',
  amber: '#ff8000',
} as const
export type Ink = keyof typeof inks

/** Which part of space a sheet shows, in metres. */
export const views = {
  side: { left: -2.6, width: 5.2, height: 1.6 },
  end: { left: -0.1, width: 1.1, height: 1.6 },
} as const

export function sideSheet(model: Model): string {
  const { left, width, height } = views.side
  const { front, rear } = model.axles
  const nose = model.plates.front.x
  const tail = model.plates.rear.x
  const gaps = model.doors.map(
    (x, at) =>
      `M${x} ${at === 2 ? 0.62 : 0.3} C${x + 0.03} .6 ${x - 0.02} .9 ${x + (at === 0 ? -0.02 : 0)} 1.0`,
  )
  const handles = model.doors
    .slice(1)
    .map((x) => `<rect x="${x + 0.06}" y=".85" width=".17" height=".03" rx=".015" fill="${inks.chrome}"/>`)
  return sheet(
    left,
    width,
    height,
    `${model.windows.map((window) => polygon(window, inks.glass, 0.03)).join('')}
    <path d="${gaps.join(' ')} M${front - 0.5} .31 H${rear + 0.5}" fill="none" stroke="${inks.gap}" stroke-width=".014"/>
    <rect x="${rear}" y=".1" width="${front - rear}" height=".17" fill="${inks.trim}"/>
    <path d="M${nose} .62 L${nose - 0.42} .7 L${nose - 0.46} .78 L${nose - 0.16} .77 Z" fill="${inks.headLamp}"/>
    <path d="M${tail} .79 L${tail + 0.32} .82 L${tail + 0.4} .95 L${tail} .99 Z" fill="${inks.tailLamp}"/>
    ${handles.join('')}`,
  )
}

export function frontSheet(model: Model): string {
  const { left, width, height } = views.end
  return sheet(
    left,
    width,
    height,
    `${polygon(model.windscreen, inks.glass, 0.02)}
    ${polygon(model.headLamp, inks.headLamp, 0.01)}
    <path d="M-.1 .55 H.4 L.44 .67 L-.1 .69 Z" fill="${inks.trim}"/>
    <path d="M-.1 .59 H.41 M-.1 .63 H.42" stroke="${inks.chrome}" stroke-width=".012"/>
    <circle cx="0" cy=".62" r=".055" fill="${inks.chrome}"/>
    <path d="M-.1 .24 H.5 L.58 .36 L-.1 .36 Z" fill="${inks.trim}"/>
    <path d="M.66 .28 H.78 V.38 L.68 .4 Z" fill="${inks.trim}"/>
    <circle cx=".73" cy=".34" r=".035" fill="${inks.headLamp}"/>
    <path d="M-.1 .72 L.46 .72 L.72 .83 L.66 1" fill="none" stroke="${inks.gap}" stroke-width=".011"/>
    <path d="M.02 1.03 L.5 1.09" stroke="${inks.trim}" stroke-width=".014"/>`,
  )
}

export function rearSheet(model: Model): string {
  const { left, width, height } = views.end
  return sheet(
    left,
    width,
    height,
    `${polygon(model.rearWindow, inks.glass, 0.02)}
    ${polygon(model.tailLamp, inks.tailLamp, 0.01)}
    <path d="M.62 .86 L.92 .84 V.89 L.64 .91 Z" fill="${inks.headLamp}"/>
    <rect x="-.1" y=".56" width=".44" height=".2" rx=".02" fill="${inks.gap}"/>
    <rect x="-.1" y=".785" width=".4" height=".025" fill="${inks.chrome}"/>
    <path d="M-.1 .5 H.74 L.78 .76 L.74 1.02" fill="none" stroke="${inks.gap}" stroke-width=".012"/>
    <path d="M-.1 .1 H.9 V.3 L.6 .33 L.5 .4 H-.1 Z" fill="${inks.trim}"/>
    <rect x=".62" y=".4" width=".16" height=".045" fill="${inks.tailLamp}"/>
    <path d="M-.1 1.06 L.42 1.1" stroke="${inks.trim}" stroke-width=".014"/>`,
  )
}

/** A rim with its tyre, 2 units across. */
export function rimSheet(): string {
  const spokes = Array.from(
    { length: 5 },
    (_, at) =>
      `<path transform="rotate(${at * 72})" d="M-.1 0 L-.2 -.66 H.2 L.1 0 Z" fill="#c9ced4" stroke="#5c6167" stroke-width=".02"/>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256" viewBox="-1 -1 2 2">
    <circle r="1" fill="#131315"/><circle r=".86" fill="none" stroke="#1d1d20" stroke-width=".03"/>
    <circle r=".7" fill="#17181a"/><circle r=".69" fill="none" stroke="#c4c9cf" stroke-width=".07"/>
    <circle r=".42" fill="#2c2d30"/>${spokes.join('')}
    <circle r=".17" fill="#aab0b6"/><circle r=".1" fill="#33363a"/></svg>`
}

const polygon = (marks: readonly Mark[], fill: string, rim: number): string =>
  `<polygon points="${marks.map((mark) => mark.join(',')).join(' ')}" fill="${fill}" stroke="${inks.trim}" stroke-width="${rim}" stroke-linejoin="round"/>`

/** Drawn upside up: y grows upwards as in the blueprints; no soft edges, for colours are materials here. */
const sheet = (left: number, width: number, height: number, drawing: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width * fine}" height="${height * fine}" shape-rendering="crispEdges"
    viewBox="${left} 0 ${width} ${height}"><g transform="translate(0 ${height}) scale(1 -1)">${drawing}</g></svg>`
