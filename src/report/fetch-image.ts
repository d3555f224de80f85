import type { S3Client } from '@aws-sdk/client-s3'
import { maxObjectBytes } from '../aws/rekognition.ts'
import { S3Images } from '../aws/s3.ts'
import { Failure } from '../flow/failure.ts'
import type { FetchImage } from './image-files.ts'

/** Fetches images from S3, unless they were replaced since they were analysed or are too large to have been. */
export function imageFetcher(s3: S3Client): FetchImage {
  const images = new S3Images(s3, { forced: new AbortController().signal })
  return async (bucket, key, etag) => {
    const head = await images.head(bucket, key)
    if (head.isArchived) throw new Failure('subject', 'HeadObject', 'the object is archived')
    if (etag !== undefined && head.etag !== etag)
      throw new Failure('subject', 'HeadObject', 'the object was replaced')
    if (head.size > maxObjectBytes) {
      throw new Failure(
        'subject',
        'HeadObject',
        `the image has ${head.size} bytes, more than ${maxObjectBytes}`,
      )
    }
    return (await images.download(bucket, key, { size: head.size, etag: head.etag })).bytes
  }
}
