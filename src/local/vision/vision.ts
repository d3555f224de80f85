import { availableParallelism } from 'node:os'
import { AnswerCache } from './answer-cache.ts'
import type { DetectedObject, TextLine } from './answers.ts'
import { RecognitionPool } from './pool.ts'
import type { Answer, Kind } from './thread.ts'

export {
  type Box,
  type DetectedObject,
  type Point,
  type TextLine,
  type TextWord,
  UndecodablePicture,
} from './answers.ts'

/** Real recognition, on worker threads: it never blocks the thread that asks. */
export interface Vision {
  /** @throws {UndecodablePicture} when the bytes cannot be decoded as a picture */
  objects(picture: Uint8Array): Promise<DetectedObject[]>
  /** Lines in reading order. @throws {UndecodablePicture} */
  text(picture: Uint8Array): Promise<TextLine[]>
  close(): Promise<void>
}

export interface VisionOptions {
  /** Worker threads, each with models of its own; default: one per processor. */
  threads?: number
  /** Answers to remember by the picture's bytes; 0 = none (for benchmarks); default 512. */
  remember?: number
}

/** Loads the models, once per thread. @throws {Error} when they are missing or not the expected ones */
export async function startVision(options: VisionOptions = {}): Promise<Vision> {
  const { threads = availableParallelism(), remember = 512 } = options
  const pool = await RecognitionPool.start(Math.max(1, threads))
  const cache = new AnswerCache<Answer>(remember)
  const ask = (kind: Kind, picture: Uint8Array) =>
    cache.answer(kind, picture, () => pool.ask({ kind, picture }))
  return {
    objects: async (picture) => (await ask('objects', picture)) as DetectedObject[],
    text: async (picture) => (await ask('text', picture)) as TextLine[],
    close: () => pool.close(),
  }
}
