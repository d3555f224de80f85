import { car } from '../car/car.ts'
import { saloon } from '../car/saloon.ts'
import { rect, svg } from '../svg.ts'
import { floor, panel, plain, type Shape } from '../tracer/shapes.ts'
import { paint } from '../tracer/texture.ts'
import { mix, ramp, vec } from '../tracer/vec.ts'
import type { Scene } from './scene.ts'

/** A red saloon in a white studio, lit by panels overhead; it has no plates yet. */
export async function showroom(): Promise<Scene> {
  const heading = -0.5
  return {
    world: {
      shapes: [
        floor(plain({ colour: vec(0.42, 0.42, 0.43), mirror: 0.06, rough: 0.035 })),
        await car(saloon, { paint: '#b02408', lights: 0.6 }, vec(0, 0, 0), heading),
        ...(await panels()),
      ],
      sky: (direction) => mix(vec(0.85, 0.85, 0.86), vec(0.2, 0.21, 0.23), ramp(0, 0.6, direction.y)),
      lamps: [
        { place: vec(4, 5.5, 5), light: vec(30, 29, 27), radius: 0.9 },
        { place: vec(-5, 5, 2.5), light: vec(16, 17, 19), radius: 0.9 },
      ],
      haze: { light: vec(0.85, 0.85, 0.86), reach: 340 },
      ambient: vec(0.3, 0.3, 0.3),
    },
    camera: { stands: vec(3.4, 1.45, 6.9), looksAt: vec(0.05, 0.62, 0), view: 0.72 },
    development: { brightness: 1, bloom: 0.25 },
  }
}

async function panels(): Promise<Shape[]> {
  const white = await paint(svg(20, 20, rect(0, 0, 20, 20, '#ffffff')))
  const light = (x: number): Shape =>
    panel(vec(x, 4.4, -4.5), vec(1.3, 0, 0), vec(0, 0, 8), white, { glow: 3 })
  return [-5.4, -2.7, 0, 2.7].map(light)
}
