import { bakery } from './scenes/bakery.ts'
import { bookshopStreet } from './scenes/bookshop-street.ts'
import { carWash } from './scenes/car-wash.ts'
import { fingerpost } from './scenes/fingerpost.ts'
import { mountainLake } from './scenes/mountain-lake.ts'
import { mountainRoad } from './scenes/mountain-road.ts'
import type { Scene } from './scenes/scene.ts'
import { seaside } from './scenes/seaside.ts'
import { showroom } from './scenes/showroom.ts'
import { stillLife } from './scenes/still-life.ts'
import { taxiNight } from './scenes/taxi-night.ts'
import { develop } from './tracer/develop.ts'
import { expose } from './tracer/exposure.ts'

/** In the order of the numbers of the sample images. */
export const scenes: readonly (() => Promise<Scene>)[] = [
  carWash,
  mountainLake,
  bookshopStreet,
  seaside,
  bakery,
  taxiNight,
  stillLife,
  mountainRoad,
  fingerpost,
  showroom,
]

/**
 * Renders a sample image; the output is deterministic.
 *
 * @param number from 1
 * @returns a JPEG
 */
export async function render(
  number: number,
  { width, height }: { width: number; height: number },
  raysPerPixel: number,
): Promise<Buffer> {
  const scene = await scenes[number - 1]?.()
  if (!scene) throw new Error(`Unknown image ${number}: the numbers are 1 to ${scenes.length}.`)
  const exposure = expose(scene.world, scene.camera, width, height, raysPerPixel)
  return develop(exposure, scene.development)
}
