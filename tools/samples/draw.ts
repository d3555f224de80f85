import { writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { render, scenes } from './render.ts'

/**
 * Renders the sample images: `node tools/samples/draw.ts` renders all, `node tools/samples/draw.ts 3 7` numbers 3 and 7.
 * The output is deterministic. Each image takes minutes, so every core renders one.
 */
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
  const image = await render(number, size, raysPerPixel)
  await writeFile(new URL(`../../samples/${number}.jpg`, import.meta.url), image)
  console.log(`rendered ${number}.jpg`)
}
