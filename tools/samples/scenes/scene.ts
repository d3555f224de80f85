import type { Development } from '../tracer/develop.ts'
import type { Camera, World } from '../tracer/trace.ts'

/** All that is needed to take one of the images. */
export interface Scene {
  world: World
  camera: Camera
  development?: Development
}
