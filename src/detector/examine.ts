import { PictureFailure } from '../aws/attempts.ts'
import type { ByteBudget } from '../aws/byte-budget.ts'
import { describeFault, type Fault, toFault } from '../aws/errors.ts'
import type { ListedObject, Pictures } from '../aws/pictures.ts'
import type { LabelDetection, LabelFinding } from '../aws/recognition.ts'

export interface ExamineParts {
  readonly labels: LabelDetection
  readonly pictures: Pictures
  readonly budget: ByteBudget
  readonly bucket: string
  /** the bucket is where Rekognition is, which can then fetch the picture itself */
  readonly byReference: boolean
  readonly minConfidence: number
}

/**
 * The labels of one picture: by reference, or by its bytes when Rekognition cannot fetch it itself.
 * One attempt; @throws {Fault} {PictureFailure}
 */
export async function examine(picture: ListedObject, parts: ExamineParts): Promise<LabelFinding[]> {
  if (!parts.byReference) return examineBytes(picture, parts)
  try {
    return await parts.labels.detect(
      { kind: 'object', bucket: parts.bucket, key: picture.key },
      parts.minConfidence,
    )
  } catch (error) {
    const fault = toFault(error)
    if (fault.kind !== 'object') throw error
    return examineUnreadable(picture, parts, fault)
  }
}

/** Rekognition could not read the object: because it is gone, or for a reason that does not hold for its bytes. */
async function examineUnreadable(
  picture: ListedObject,
  parts: ExamineParts,
  fault: Fault,
): Promise<LabelFinding[]> {
  await parts.pictures.sizeOf(parts.bucket, picture.key).catch((error) => {
    if (toFault(error).kind !== 'gone') throw error
    throw new PictureFailure('the picture was gone before it was looked at')
  })
  return examineBytes(picture, parts, fault)
}

async function examineBytes(
  picture: ListedObject,
  parts: ExamineParts,
  fault?: Fault,
): Promise<LabelFinding[]> {
  const download = await parts.pictures.download(parts.bucket, picture.key, undefined, parts.budget)
  if (download.kind !== 'bytes') {
    const why = fault ? describeFault(fault) : 'the bucket is in another region than Rekognition'
    throw new PictureFailure(
      `the picture has more than 5 MiB and Rekognition cannot read it from S3 (${why})`,
    )
  }
  try {
    return await parts.labels.detect({ kind: 'bytes', bytes: download.bytes }, parts.minConfidence)
  } finally {
    download.release()
  }
}
