import { type Attempts, PictureFailure } from '../aws/attempts.ts'
import type { ByteBudget } from '../aws/byte-budget.ts'
import { describeFault, toFault } from '../aws/errors.ts'
import type { Pictures } from '../aws/pictures.ts'
import type { TextDetection } from '../aws/recognition.ts'
import type { TextLine } from '../protocol/outcomes.ts'

export interface AnalyseParts {
  readonly attempts: Attempts
  readonly pictures: Pictures
  readonly text: TextDetection
  readonly budget: ByteBudget
  readonly bucket: string
  readonly minTextConfidence: number
  /** called with every attempt: the reader is alive also while a service is not */
  readonly alive: () => void
}

/** What a picture came to. */
export type Finding =
  | { readonly outcome: 'text'; readonly lines: readonly TextLine[] }
  | { readonly outcome: 'no-text' }
  | { readonly outcome: 'failed'; readonly reason: string }

/**
 * Downloads a picture and reads its text, until there is an outcome.
 *
 * @param wanted.bucket where its message says it is; nothing is fetched from another bucket than the settings'
 * @throws {Stopped} {ImgpipeError}
 */
export async function analyse(
  wanted: { key: string; bucket: string | undefined; etag: string | undefined },
  parts: AnalyseParts,
): Promise<Finding> {
  if (wanted.bucket !== undefined && wanted.bucket !== parts.bucket) {
    return {
      outcome: 'failed',
      reason: `the picture is in the bucket "${wanted.bucket}", this reader reads "${parts.bucket}"`,
    }
  }
  try {
    const lines = await parts.attempts.of(() => {
      parts.alive()
      return readText(wanted, parts)
    })
    return lines.length > 0 ? { outcome: 'text', lines } : { outcome: 'no-text' }
  } catch (error) {
    if (error instanceof PictureFailure) return { outcome: 'failed', reason: error.message }
    throw error
  }
}

async function readText(
  { key, etag }: { key: string; etag: string | undefined },
  { pictures, text, budget, bucket, minTextConfidence }: AnalyseParts,
): Promise<TextLine[]> {
  const download = await pictures.download(bucket, key, etag, budget).catch((error) => {
    if (toFault(error).kind === 'gone') throw new PictureFailure('the picture is no longer in the bucket')
    throw error
  })
  if (download.kind !== 'bytes') return readTextByReference({ bucket, key }, text, minTextConfidence)
  try {
    if (download.bytes.length === 0) throw new PictureFailure('the picture is empty')
    return await text.detect({ kind: 'bytes', bytes: download.bytes }, minTextConfidence)
  } finally {
    download.release()
  }
}

async function readTextByReference(
  object: { bucket: string; key: string },
  text: TextDetection,
  minTextConfidence: number,
): Promise<TextLine[]> {
  try {
    return await text.detect({ kind: 'object', ...object }, minTextConfidence)
  } catch (error) {
    const fault = toFault(error)
    if (fault.kind !== 'object') throw error
    throw new PictureFailure(
      `the picture has more than 5 MiB and Rekognition cannot read it from S3 (${describeFault(fault)})`,
    )
  }
}
