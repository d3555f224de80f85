import type { S3Client } from '@aws-sdk/client-s3'
import { AwsError, sentence } from '../aws/errors.ts'
import { type ListingPage, S3Images } from '../aws/s3.ts'
import { ShutdownError } from '../host/shutdown.ts'
import { isImageKey } from '../protocol/keys.ts'
import { type Finding, failedRequest, ok, type Role, skip, warn } from './finding.ts'

export interface BucketQuestion {
  readonly bucket: string
  readonly prefix: string
  readonly region: string
  readonly role: Role
}

const archiveClasses = ['GLACIER', 'DEEP_ARCHIVE']

/**
 * Whether the bucket exists, can be listed, holds images, and lets one be read; and its region. One byte of one image is
 * read: S3 bills it as one request.
 */
export async function checkBucket(
  s3: S3Client,
  question: BucketQuestion,
  signal: AbortSignal,
): Promise<Finding> {
  const { bucket, prefix, role } = question
  const images = new S3Images(s3, { forced: signal })
  let operation = 'HeadBucket'
  try {
    const region = await images.bucketRegion(bucket)
    operation = 'ListObjectsV2'
    const page = await images.listPage({ bucket, prefix, after: '' })
    const found = page.objects.filter(({ key }) => isImageKey(key))
    const readable = found.find(({ storageClass = '' }) => !archiveClasses.includes(storageClass))
    if (!readable) return noImages(question, page, found.length)
    operation = 'GetObject'
    await images.probe(bucket, readable.key)
    return ok(
      'bucket',
      `${bucket}: readable, ${count(found.length, page)}${regionOf(region, question.region)}`,
    )
  } catch (error) {
    const failure = requestFailure(error, operation)
    if (operation === 'ListObjectsV2' && failure.kind === 'denied' && role === 'reader')
      return skip('bucket', `not checked: ${bucket} cannot be listed, which only the detector needs`)
    const permission = operation === 'GetObject' ? 's3:GetObject on it' : 's3:ListBucket on it'
    return failedRequest('bucket', bucket, failure, { permission, missing: 'correct the setting "bucket"' })
  }
}

/** The bucket that several readers share their results through. */
export async function checkResultsBucket(
  s3: S3Client,
  bucket: string,
  signal: AbortSignal,
): Promise<Finding> {
  const images = new S3Images(s3, { forced: signal })
  try {
    await images.bucketRegion(bucket)
    await images.listPage({ bucket, prefix: 'runs/', after: '' })
    return ok('results bucket', `${bucket}: can be listed`)
  } catch (error) {
    return failedRequest('results bucket', bucket, requestFailure(error, 'ListObjectsV2'), {
      permission: 's3:ListBucket, s3:GetObject and s3:PutObject on it',
      missing: 'create it, or correct the setting "resultsBucket"',
    })
  }
}

/** The adapters take the time limit of a check for a shutdown. */
function requestFailure(error: unknown, operation: string): AwsError {
  if (error instanceof AwsError) return error
  if (!(error instanceof ShutdownError)) throw error
  return new AwsError('timeout', sentence(operation, 'no answer in time'), { service: 's3', operation })
}

function noImages({ bucket, prefix }: BucketQuestion, page: ListingPage, archived: number): Finding {
  const where = prefix === '' ? bucket : `${bucket} under "${prefix}"`
  if (archived > 0)
    return warn('bucket', `${where}: the first ${archived} images are archived`, 'restore them')
  if (page.next) return ok('bucket', `${where}: can be listed, no image among its first keys`)
  const remedy = 'put .jpg, .jpeg or .png files there, or correct the settings "bucket" and "prefix"'
  return warn('bucket', `${where}: holds no images`, remedy)
}

function count(images: number, { next }: ListingPage): string {
  return `${images}${next ? ' images or more' : images === 1 ? ' image' : ' images'}`
}

function regionOf(bucketRegion: string | undefined, region: string): string {
  if (bucketRegion === undefined) return ''
  if (bucketRegion === region) return `, in ${region}`
  return `, in ${bucketRegion} (images are sent to Rekognition in ${region} as bytes)`
}
