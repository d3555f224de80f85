import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeFault, toFault } from '../aws/errors.ts'
import { pictureFormat } from './picture-format.ts'
import type { PictureRecord } from './records.ts'

/**
 * Brings a picture's bytes. It may throw what the AWS SDK throws.
 *
 * @param etag of the picture that was analysed: boxes over another picture would be a lie
 */
export type FetchPicture = (bucket: string, key: string, etag: string | undefined) => Promise<Uint8Array>

/** A picture in the report's folder, or one sentence on why there is none. */
export type SavedPicture = PictureFile | { readonly missing: string }

export interface PictureFile {
  readonly file: string
  /** Pixels as shown */
  readonly width: number
  readonly height: number
}

const fetchesAtOnce = 8
/** So many errors in a row that are no picture's own mean that the bucket cannot be reached at all. */
const errorsToGiveUp = 10

/**
 * Writes the pictures of `records` into `folder`, under names made of their numbers: a key never becomes a path.
 * What cannot be fetched or shown is no error: the page says so in its place.
 *
 * @returns by each picture's number, its file or why it has none
 * @throws what writing a file throws
 */
export async function savePictures(
  records: readonly PictureRecord[],
  runBucket: string,
  folder: string,
  fetchPicture: FetchPicture,
): Promise<Map<number, SavedPicture>> {
  const saved = new Map<number, SavedPicture>()
  const waiting = records.values()
  const bucket = new BucketOfPictures(runBucket, fetchPicture)
  const takeTurns = async () => {
    for (const record of waiting) {
      const bytes = await bucket.fetch(record)
      saved.set(
        record.n,
        typeof bytes === 'string' ? { missing: bytes } : await save(bytes, record.n, folder),
      )
    }
  }
  await Promise.all(Array.from({ length: fetchesAtOnce }, takeTurns))
  return saved
}

async function save(bytes: Uint8Array, n: number, folder: string): Promise<SavedPicture> {
  const format = pictureFormat(bytes)
  if (format === undefined) return { missing: 'It is neither a JPEG nor a PNG picture.' }
  const file = `${n}.${format.extension}`
  await writeFile(join(folder, file), bytes)
  return { file, width: format.width, height: format.height }
}

/** The run's bucket, until too many errors in a row show that it is no use to go on. */
class BucketOfPictures {
  readonly #bucket: string
  readonly #fetchPicture: FetchPicture
  #errorsInARow = 0
  #givenUp: string | undefined

  constructor(bucket: string, fetchPicture: FetchPicture) {
    this.#bucket = bucket
    this.#fetchPicture = fetchPicture
  }

  /** @returns the bytes, or why there are none */
  async fetch({ bucket, key, etag }: PictureRecord): Promise<Uint8Array | string> {
    if (this.#givenUp !== undefined) return this.#givenUp
    // A stranger's message may name any bucket: the reader fetched nothing from there, nor does the report.
    if (bucket !== undefined && bucket !== this.#bucket) return `It is in another bucket, ${bucket}.`
    try {
      const bytes = await this.#fetchPicture(this.#bucket, key, etag)
      this.#errorsInARow = 0
      return bytes
    } catch (error) {
      return this.#reason(error)
    }
  }

  #reason(error: unknown): string {
    const fault = toFault(error)
    if (fault.kind === 'gone') return 'It is no longer in the bucket, or another picture has its name now.'
    const reason = `It could not be fetched from the bucket (${describeFault(fault)}).`
    this.#errorsInARow += 1
    if (this.#errorsInARow >= errorsToGiveUp) this.#givenUp = reason
    return reason
  }
}
