import {
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { toFault } from '../aws/errors.ts'
import { isPictureKey } from '../protocol/indexes.ts'
import { type Finding, refused, right, type WrongFinding, wrong } from './finding.ts'

export interface BucketQuestion {
  readonly bucket: string
  readonly prefix: string
  readonly region: string
  /** where S3 was found */
  readonly address: string | undefined
}

/**
 * Whether the bucket is there, may be listed, holds pictures and lets one be read; and its region.
 * One picture's first byte is read: S3 bills it as one request.
 */
export async function checkBucket(
  s3: S3Client,
  question: BucketQuestion,
  abortSignal: AbortSignal,
): Promise<Finding> {
  const refuse = (rights: string) => (error: unknown) => Promise.reject(faultOf(error, question, rights))
  try {
    const command = new HeadBucketCommand({ Bucket: question.bucket })
    const { BucketRegion } = await s3.send(command, { abortSignal }).catch(refuse('s3:ListBucket'))
    const list = new ListObjectsV2Command({ Bucket: question.bucket, Prefix: question.prefix || undefined })
    const page = await s3.send(list, { abortSignal }).catch(refuse('s3:ListBucket'))
    const pictures = picturesOf(page)
    const [first] = pictures
    if (first === undefined) return noPictures(question, page)
    const get = new GetObjectCommand({ Bucket: question.bucket, Key: first, Range: 'bytes=0-0' })
    const answer = await s3.send(get, { abortSignal }).catch(unlessEmpty).catch(refuse('s3:GetObject'))
    await answer?.Body?.transformToByteArray()
    const count = `${pictures.length}${page.IsTruncated ? ' pictures or more' : pictures.length === 1 ? ' picture' : ' pictures'}`
    return right(
      'bucket',
      `${question.bucket}: readable, ${count}${regionWords(BucketRegion, question.region)}`,
    )
  } catch (error) {
    if (isFinding(error)) return error
    return faultOf(error, question, 's3:GetObject')
  }
}

/** The bucket on which several readers agree. */
export async function checkResultsBucket(
  s3: S3Client,
  { bucket, address }: Pick<BucketQuestion, 'bucket' | 'address'>,
  abortSignal: AbortSignal,
): Promise<Finding> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal })
    return right('results bucket', `${bucket}: is there`)
  } catch (error) {
    const rights = `s3:ListBucket, s3:GetObject and s3:PutObject on it`
    const missing = 'make it, or correct the setting "resultsBucket"'
    return refused('results bucket', bucket, toFault(error), { rights, missing, address })
  }
}

/** An empty picture has no first byte; that it may be read is known all the same. */
async function unlessEmpty(error: unknown): Promise<undefined> {
  if (toFault(error).code !== 'InvalidRange') throw error
}

function picturesOf({ Contents = [] }: ListObjectsV2CommandOutput): string[] {
  return Contents.flatMap(({ Key }) => (Key !== undefined && isPictureKey(Key) ? [Key] : []))
}

function noPictures({ bucket, prefix }: BucketQuestion, page: ListObjectsV2CommandOutput): Finding {
  if (page.IsTruncated) return right('bucket', `${bucket}: readable, no picture among its first keys`)
  const where = prefix === '' ? bucket : `${bucket} under "${prefix}"`
  const remedy = 'put .jpg, .jpeg or .png files there, or correct the settings "bucket" and "prefix"'
  return wrong('bucket', 'settings', `${where}: holds no pictures`, remedy)
}

function regionWords(of: string | undefined, region: string): string {
  if (of === undefined) return ''
  return of === region ? `, in ${of}` : `, in ${of} (pictures go to Rekognition in ${region} as bytes)`
}

function faultOf(error: unknown, { bucket, address }: BucketQuestion, right: string): WrongFinding {
  const rights = `${right} on it`
  const missing = 'correct the setting "bucket"'
  return refused('bucket', bucket, toFault(error), { rights, missing, address })
}

function isFinding(error: unknown): error is WrongFinding {
  return typeof error === 'object' && error !== null && 'verdict' in error
}
