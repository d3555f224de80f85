import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
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

/**
 * Draws the sample pictures: `node samples/draw.ts` draws all, `node samples/draw.ts 3 7` the third and the seventh.
 * The same pictures come out every time. Each takes minutes, so every core draws one.
 */
const scenes: readonly (() => Promise<Scene>)[] = [
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
const size = { width: 960, height: 640 }
const raysPerPixel = 9

if (isMainThread) await drawAll(process.argv.slice(2).map(Number))
else await draw(workerData)

async function drawAll(asked: number[]): Promise<void> {
  const waiting = asked.length > 0 ? asked : scenes.map((_, at) => at + 1)
  const drawNext = async (): Promise<void> => {
    for (let number = waiting.shift(); number !== undefined; number = waiting.shift()) await drawApart(number)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, drawNext))
}

function drawApart(number: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: number })
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
}

async function draw(number: number): Promise<void> {
  const scene = await scenes[number - 1]?.()
  if (!scene) throw new Error(`There is no picture ${number}: they are numbered from 1 to ${scenes.length}.`)
  const exposure = expose(scene.world, scene.camera, size.width, size.height, raysPerPixel)
  await writeFile(new URL(`${number}.jpg`, import.meta.url), await develop(exposure, scene.development))
  console.log(`drew ${number}.jpg`)
}
