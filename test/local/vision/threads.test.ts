import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import type { Worker } from 'node:worker_threads'
import sharp from 'sharp'
import { afterEach, expect, test } from 'vitest'
import { MODEL_FILES, readModelFile } from '../../../src/local/vision/model-files.ts'
import { startVision, UndecodableImage, type Vision } from '../../../src/local/vision/vision.ts'
import { drawSign } from './drawing.ts'

const { data, width, height } = drawSign(1280, 960)
const sign = await sharp(data, { raw: { width, height, channels: 3 } })
  .jpeg()
  .toBuffer()

let vision: Vision | undefined

afterEach(async () => {
  await vision?.close()
  vision = undefined
})

/** Starts the recognition with one thread, and returns that thread too. */
async function startWithThread(): Promise<[Vision, Worker]> {
  const started = once(process, 'worker') as Promise<[Worker]>
  vision = await startVision({ threads: 1, cacheSize: 0 })
  return [vision, (await started)[0]]
}

async function bestName(of: Vision): Promise<string | undefined> {
  const objects = await of.objects(sign)
  return objects.toSorted((a, b) => b.confidence - a.confidence)[0]?.name
}

test('returns the same result repeatedly and leaves the bytes unchanged', async () => {
  vision = await startVision({ threads: 1, cacheSize: 0 })
  const before = Buffer.from(sign)
  expect(await Promise.all([bestName(vision), bestName(vision)])).toEqual(['Stopsign', 'Stopsign'])
  expect(sign.equals(before)).toBe(true)
})

test('an undecodable image is rejected by name, and the next one is processed', async () => {
  vision = await startVision({ threads: 1 })
  await expect(vision.objects(Buffer.from('not an image'))).rejects.toThrow(UndecodableImage)
  await expect(vision.text(sign.subarray(0, 6000))).rejects.toThrow(UndecodableImage)
  expect(await bestName(vision)).toBe('Stopsign')
})

test('fast requests do not wait for a backlog of slow ones', async () => {
  vision = await startVision({ threads: 1, cacheSize: 0 })
  const done: string[] = []
  const slow = Array.from({ length: 3 }, () => vision?.text(sign).then(() => done.push('text')))
  const quick = Array.from({ length: 2 }, () => vision?.objects(sign).then(() => done.push('objects')))
  await Promise.all([...slow, ...quick])
  expect(done).toEqual(['text', 'objects', 'text', 'objects', 'text'])
})

test('a dead thread loses one request and is replaced; the others are served', async () => {
  const [alive, thread] = await startWithThread()
  const lost = alive.objects(sign)
  const waiting = bestName(alive)
  await Promise.all([
    thread.terminate(),
    expect(lost).rejects.toThrow('The recognition thread died while processing this image'),
  ])
  expect(await waiting).toBe('Stopsign')
})

test('an idle thread that dies is replaced too', async () => {
  const [alive, thread] = await startWithThread()
  await thread.terminate()
  expect(await bestName(alive)).toBe('Stopsign')
})

test('closing lets the running request finish, rejects the rest, and leaves no thread', async () => {
  const [closing, thread] = await startWithThread()
  const ended = once(thread, 'exit')
  const running = bestName(closing)
  const waiting = closing.objects(sign)
  const refused = expect(waiting).rejects.toThrow('The recognition pool has been closed.')
  await closing.close()
  expect(await running).toBe('Stopsign')
  await Promise.all([refused, ended, expect(closing.objects(sign)).rejects.toThrow('has been closed')])
})

test('a model file with a wrong checksum is rejected by name', async () => {
  const changed = { ...MODEL_FILES.textCharacters, sha256: '0'.repeat(64) }
  await expect(readModelFile(changed)).rejects.toThrow(
    /ppocr_keys_v1\.txt .* has an unexpected checksum .*: run "npm ci"\.$/,
  )
  const missing = { ...MODEL_FILES.textCharacters, path: 'assets/none' }
  await expect(readModelFile(missing)).rejects.toThrow(/assets\/none .* cannot be read: run "npm ci"\.$/)
})

test('every model file is verified', async () => {
  const directory = 'node_modules/coco-ssd-weights/models/coco-ssd'
  const checked: string[] = Object.values(MODEL_FILES).map(({ path }) => path)
  const present = await readdir(directory)
  expect(present.filter((file) => !checked.includes(`models/coco-ssd/${file}`))).toEqual([])
  expect(await readModelFile(MODEL_FILES.objectGraph)).toEqual(await readFile(`${directory}/model.json`))
})
