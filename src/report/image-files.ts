import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Failure } from '../flow/failure.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import { imageFormat } from './image-format.ts'

/**
 * Fetches an image's bytes.
 *
 * @param etag of the object that was analysed: boxes over another image would be wrong
 * @throws {Failure} of kind `subject` when the object is gone, replaced or cannot be shown
 */
export type FetchImage = (bucket: string, key: string, etag: string | undefined) => Promise<Uint8Array>

/** An image in the report's directory, or one sentence on why there is none. */
export type SavedImage = ImageFile | { readonly missing: string }

export interface ImageFile {
  readonly file: string
  /** pixels as shown */
  readonly width: number
  readonly height: number
}

const maxFetches = 8
/** So many consecutive failures that are not an image's own mean that the bucket cannot be reached at all. */
const maxConsecutiveFailures = 10

/**
 * Writes the images of `outcomes` into `directory`, under names made of their numbers: a key never becomes a path.
 * What cannot be fetched or shown is not an error: the page says so in its place.
 *
 * @returns by each image's number, its file or why it has none
 * @throws what writing a file throws
 */
export async function saveImages(
  outcomes: readonly Outcome[],
  bucket: string,
  directory: string,
  fetchImage: FetchImage,
): Promise<Map<number, SavedImage>> {
  const saved = new Map<number, SavedImage>()
  const rest = outcomes.values()
  const fetcher = new Fetcher(bucket, fetchImage)
  const worker = async () => {
    for (const { n, key, etag } of rest) {
      const bytes = await fetcher.fetch(key, etag)
      saved.set(n, typeof bytes === 'string' ? { missing: bytes } : await save(bytes, n, directory))
    }
  }
  await Promise.all(Array.from({ length: maxFetches }, worker))
  return saved
}

async function save(bytes: Uint8Array, n: number, directory: string): Promise<SavedImage> {
  const format = imageFormat(bytes)
  if (format === undefined) return { missing: 'Neither a JPEG nor a PNG image.' }
  const file = `${n}.${format.extension}`
  await writeFile(join(directory, file), bytes)
  return { file, width: format.width, height: format.height }
}

/** Fetches until too many consecutive failures show that there is no point in continuing. */
class Fetcher {
  readonly #bucket: string
  readonly #fetchImage: FetchImage
  #consecutiveFailures = 0
  #abandonedBecause: string | undefined

  constructor(bucket: string, fetchImage: FetchImage) {
    this.#bucket = bucket
    this.#fetchImage = fetchImage
  }

  /** @returns the bytes, or why there are none */
  async fetch(key: string, etag: string | undefined): Promise<Uint8Array | string> {
    if (this.#abandonedBecause !== undefined) return this.#abandonedBecause
    try {
      const bytes = await this.#fetchImage(this.#bucket, key, etag)
      this.#consecutiveFailures = 0
      return bytes
    } catch (error) {
      return this.#reason(error)
    }
  }

  #reason(error: unknown): string {
    const reason = `It could not be fetched: ${error instanceof Error ? error.message : String(error)}.`
    if (error instanceof Failure && error.kind === 'subject') return reason
    this.#consecutiveFailures++
    if (this.#consecutiveFailures >= maxConsecutiveFailures) this.#abandonedBecause = reason
    return reason
  }
}
