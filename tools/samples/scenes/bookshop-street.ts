import { car } from '../car/car.ts'
import { hatchback } from '../car/hatchback.ts'
import { plate } from '../car/plate.ts'
import { block, floor, type Shape } from '../tracer/shapes.ts'
import { heavens, towards } from '../tracer/skies.ts'
import { vec } from '../tracer/vec.ts'
import { asphalt, paving } from './grounds.ts'
import { house } from './house.ts'
import type { Scene } from './scene.ts'
import { broadleaf } from './trees.ts'

/** A red car in front of a bookshop, on a bright morning. */
export async function bookshopStreet(): Promise<Scene> {
  const place = vec(0.1, 0, 0)
  const heading = -0.62
  return {
    world: {
      shapes: [
        floor(asphalt(vec(0.17, 0.17, 0.175), 0, 8)),
        block(vec(-30, 0, -9), vec(30, 0.14, -2.2), paving(vec(0.5, 0.47, 0.43), 0.6)),
        await car(hatchback, { paint: '#b3161c' }, place, heading),
        await plate('K7 LMN 42', hatchback, 'front', place, heading, { strip: true }),
        ...(await street()),
        ...(await broadleaf(vec(-4.4, 0.1, -3), 5.4, 3)),
        ...(await broadleaf(vec(5.2, 0.1, -3.1), 5.6, 8)),
      ],
      sky: heavens({
        zenith: vec(0.22, 0.45, 0.95),
        horizon: vec(0.85, 0.92, 1),
        clouds: { light: vec(1.3, 1.3, 1.3), amount: 0.55, seed: 1 },
      }),
      sun: { towards: towards(52, 40), light: vec(3.3, 2.9, 2.4), spread: 0.03 },
      ambient: vec(0.22, 0.22, 0.24),
    },
    camera: { stands: vec(3.1, 1.55, 6.6), looksAt: vec(0.35, 1.12, 0), view: 0.84 },
  }
}

async function street(): Promise<Shape[]> {
  const front = -5.4
  const houses = await Promise.all([
    house(
      { left: -14, width: 6, height: 9.5, wall: '#8fa5b0', trim: '#eef0ec', storeys: 2, bays: 3, seed: 5 },
      front,
    ),
    house(
      { left: -8, width: 5.6, height: 8.6, wall: '#d9b36c', trim: '#f5efe2', storeys: 2, bays: 2, seed: 1 },
      front,
    ),
    house(
      {
        left: -2.4,
        width: 6.4,
        height: 9.2,
        wall: '#a4553f',
        trim: '#efe6d6',
        storeys: 2,
        bays: 3,
        seed: 2,
        shop: { sign: 'BOOKS', board: '#1d4a3a', awning: '#2c6b52' },
      },
      front,
    ),
    house(
      { left: 4, width: 6, height: 8.8, wall: '#e3ddd0', trim: '#6f7f72', storeys: 2, bays: 2, seed: 3 },
      front,
    ),
  ])
  return houses.flat()
}
