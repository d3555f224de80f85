import { availableParallelism } from 'node:os'
import { RecognitionPool } from './pool.ts'
import { ResultCache } from './result-cache.ts'
import type { DetectedObject, TextLine } from './results.ts'
import type { Kind, RecognitionResult } from './thread.ts'

export {
  type Box,
  type DetectedObject,
  type Point,
  type TextLine,
  type TextWord,
  UndecodableImage,
} from './results.ts'

/** Image recognition in worker threads: it never blocks the caller's event loop. */
export interface Vision {
  /** @throws {UndecodableImage} when the bytes cannot be decoded as an image */
  objects(image: Uint8Array): Promise<DetectedObject[]>
  /** Lines in reading order. @throws {UndecodableImage} */
  text(image: Uint8Array): Promise<TextLine[]>
  close(): Promise<void>
}

export interface VisionOptions {
  /** Worker threads, each with its own models; default: one per processor. */
  threads?: number
  /** Capacity of the result cache; 0 disables it (for benchmarks); default 512. */
  cacheSize?: number
}

/** Loads the models, once per thread. @throws {Error} when they are missing or have an unexpected checksum */
export async function startVision(options: VisionOptions = {}): Promise<Vision> {
  const { threads = availableParallelism(), cacheSize = 512 } = options
  const pool = await RecognitionPool.start(Math.max(1, threads))
  const cache = new ResultCache<RecognitionResult>(cacheSize)
  const recognize = (kind: Kind, image: Uint8Array) => cache.get(kind, image, () => pool.run({ kind, image }))
  return {
    objects: async (image) => (await recognize('objects', image)) as DetectedObject[],
    text: async (image) => (await recognize('text', image)) as TextLine[],
    close: () => pool.close(),
  }
}
