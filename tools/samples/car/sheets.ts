import { times } from '../svg.ts'
import type { Model } from './model.ts'
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
  lens: '#8080ff',
  headLamp: '#ffff00',
  brakeLamp: '#ff8000',
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
    <path d="M${nose} .62 L${nose - 0.42} .7 L${nose - 0.46} .78 L${nose - 0.16} .77 Z" fill="${inks.lens}"/>
    <path d="M${nose} .63 L${nose - 0.42} .71" stroke="${inks.headLamp}" stroke-width=".022"/>
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
    ${polygon(model.headLamp, inks.lens, 0.012)}${lampsInside(model)}
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
    <path d="M.64 .83 L.92 .81 V.855 L.65 .87 Z" fill="${inks.lens}"/><path d="M.66 .9 L.92 .885" stroke="${inks.brakeLamp}" stroke-width=".03"/>
    <rect x="-.1" y=".56" width=".44" height=".2" rx=".02" fill="${inks.gap}"/>
    <rect x="-.1" y=".785" width=".4" height=".025" fill="${inks.chrome}"/>
    <path d="M-.1 .5 H.74 L.78 .76 L.74 1.02" fill="none" stroke="${inks.gap}" stroke-width=".012"/>
    <path d="M-.1 .1 H.9 V.3 L.6 .33 L.5 .4 H-.1 Z" fill="${inks.trim}"/>
    <rect x=".62" y=".4" width=".16" height=".045" fill="${inks.tailLamp}"/>
    <path d="M-.1 1.06 L.42 1.1" stroke="${inks.trim}" stroke-width=".014"/>`,
  )
}

/** A strip of daylight lamps along the lower edge and two round lamps above it. */
function lampsInside({ headLamp }: Model): string {
  const [[z, y] = [0, 0], [, middle] = [0, 0], [, outer] = [0, 0]] = headLamp
  return `<path d="M${z + 0.03} ${y + 0.015} L.7 ${middle + 0.016} L.9 ${outer + 0.016}" fill="none" stroke="${inks.headLamp}" stroke-width=".02"/>
    <circle cx=".64" cy="${middle + 0.062}" r=".032" fill="${inks.headLamp}"/>
    <circle cx=".74" cy="${middle + 0.085}" r=".032" fill="${inks.headLamp}"/>`
}

/** A rim with its tyre, 2 units across. */
export function rimSheet(): string {
  const spoke = (at: number) =>
    `<path transform="rotate(${at * 36})" d="M-.05 -.1 L-.11 -.68 H.03 L.06 -.1 Z" fill="#b9bfc6" stroke="#4c5056" stroke-width=".015"/>`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256" viewBox="-1 -1 2 2">
    <circle r="1" fill="#131315"/><circle r=".86" fill="none" stroke="#1d1d20" stroke-width=".03"/>
    <circle r=".7" fill="#17181a"/><circle r=".69" fill="none" stroke="#a9afb6" stroke-width=".06"/>
    <circle r=".45" fill="#26272a"/>${times(10, spoke)}
    <circle r=".16" fill="#9aa0a6"/><circle r=".09" fill="#2b2d30"/></svg>`
}

const polygon = (marks: readonly Mark[], fill: string, rim: number): string =>
  `<polygon points="${marks.map((mark) => mark.join(',')).join(' ')}" fill="${fill}" stroke="${inks.trim}" stroke-width="${rim}" stroke-linejoin="round"/>`

/** Drawn upside up: y grows upwards as in the blueprints; no soft edges, for colours are materials here. */
const sheet = (left: number, width: number, height: number, drawing: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width * fine}" height="${height * fine}" shape-rendering="crispEdges"
    viewBox="${left} 0 ${width} ${height}"><g transform="translate(0 ${height}) scale(1 -1)">${drawing}</g></svg>`
