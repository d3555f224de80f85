import { diceFor } from './chance.ts'
import { type Camera, rayThrough, see, type World } from './trace.ts'
import type { Vec } from './vec.ts'

/** An image not yet developed: three numbers a pixel in each layer, one in `away`. */
export interface Exposure {
  width: number
  height: number
  colour: Float32Array
  light: Float32Array
  sheen: Float32Array
  shine: Float32Array
  normal: Float32Array
  away: Float32Array
}

/** Looks through every pixel `rays` times, spread evenly over it. */
export function expose(world: World, camera: Camera, width: number, height: number, rays: number): Exposure {
  const exposure = unexposed(width, height)
  const through = rayThrough(camera)
  const columns = Math.ceil(Math.sqrt(rays))
  const lines = Math.ceil(rays / columns)
  for (let pixel = 0; pixel < width * height; pixel += 1) {
    const dice = diceFor(Math.imul(pixel + 1, 0x9e3779b1))
    for (let ray = 0; ray < columns * lines; ray += 1) {
      const x = (pixel % width) + ((ray % columns) + dice()) / columns
      const y = Math.floor(pixel / width) + (Math.floor(ray / columns) + dice()) / lines
      const direction = through(x / width - 0.5, (height / 2 - y) / width)
      record(exposure, pixel, see(world, camera.stands, direction, dice), 1 / (columns * lines))
    }
  }
  return exposure
}

function unexposed(width: number, height: number): Exposure {
  const layer = (channels: number) => new Float32Array(width * height * channels)
  return {
    width,
    height,
    colour: layer(3),
    light: layer(3),
    sheen: layer(3),
    shine: layer(3),
    normal: layer(3),
    away: layer(1),
  }
}

function record(exposure: Exposure, pixel: number, sight: ReturnType<typeof see>, share: number): void {
  for (const layer of ['colour', 'light', 'sheen', 'shine', 'normal'] as const) {
    addTo(exposure[layer], pixel * 3, sight[layer], share)
  }
  exposure.away[pixel] = (exposure.away[pixel] ?? 0) + sight.away * share
}

function addTo(layer: Float32Array, at: number, value: Vec, share: number): void {
  layer[at] = (layer[at] ?? 0) + value.x * share
  layer[at + 1] = (layer[at + 1] ?? 0) + value.y * share
  layer[at + 2] = (layer[at + 2] ?? 0) + value.z * share
}
