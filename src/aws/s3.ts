import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3'
import { type ShutdownSignals, withDeadline } from '../host/shutdown.ts'
import { requestDeadlineMs } from './clients.ts'
import { AwsError, incompleteAnswer, sentence, toFailure } from './errors.ts'
import { type ListedObject, type ListingPage, listingPage, type PageStart } from './listing-page.ts'
import { destroyBody, readBody } from './response-body.ts'

export interface ObjectHead {
  /** in bytes */
  readonly size: number
  readonly etag: string
  readonly storageClass: string | undefined
  /** in an archive tier and not restored: it cannot be read */
  readonly isArchived: boolean
  /** S3 itself has answered, as its request ID shows */
  readonly isConfirmed: boolean
}

export type { ListedObject, ListingPage, PageStart }

/** The code of the failure when an object is no longer the one that was listed, or looked up. */
const replacedCode = 'ObjectReplaced'

/** A fact about the object: it is another one by now. */
export function replaced(operation: string, since: string): AwsError {
  const message = sentence(operation, `the object was replaced since ${since}`)
  return new AwsError('subject', message, { service: 's3', operation, status: 200, code: replacedCode })
}

export function isReplaced(error: unknown): boolean {
  return error instanceof AwsError && error.code === replacedCode
}

/**
 * The images of S3 buckets. Every method makes one attempt and throws `AwsError`, or `ShutdownError` when a forced shutdown
 * aborts it.
 */
export class S3Images {
  readonly #s3: S3Client
  readonly #forced: AbortSignal

  constructor(s3: S3Client, shutdown: Pick<ShutdownSignals, 'forced'>) {
    this.#s3 = s3
    this.#forced = shutdown.forced
  }

  /**
   * Finds the bucket and its region; later requests go to that region at once.
   *
   * @returns the region; undefined where S3 does not name it, or where HEAD is denied: the listing then decides
   * @throws {AwsError} `missing` when S3 confirms that there is no such bucket
   */
  async bucketRegion(bucket: string): Promise<string | undefined> {
    try {
      const command = new HeadBucketCommand({ Bucket: bucket })
      const { BucketRegion } = await this.#request('HeadBucket', (abortSignal) =>
        this.#s3.send(command, { abortSignal }),
      )
      await this.#useRegion(BucketRegion)
      return BucketRegion
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      await this.#useRegion(error.bucketRegion)
      // HEAD needs a permission on the whole bucket; a listing may be limited to the prefix. Its answers carry no code, so
      // that the listing also has the better words for credentials and the like.
      const isUndecided = error.kind === 'denied' || (error.status === 400 && error.requestId !== undefined)
      if (error.bucketRegion === undefined && !isUndecided) throw error
      return error.bucketRegion
    }
  }

  /**
   * One page of the listing, in the order of the keys' UTF-8 bytes.
   *
   * @param request.lastKey the last key of the pages before: a listing that does not advance is a failure
   */
  async listPage(
    request: { bucket: string; prefix: string; lastKey?: string } & PageStart,
  ): Promise<ListingPage> {
    const lastKey = request.lastKey ?? ('after' in request ? request.after : '')
    try {
      return await this.#listPage(request, lastKey)
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      if (error.kind === 'settings' && (await this.#useRegion(error.bucketRegion)))
        return this.#listPage(request, lastKey)
      // S3 does not keep tokens for ever; the last key is as good.
      const isTokenRefused = error.code === 'InvalidArgument' && 'token' in request
      if (!isTokenRefused) throw error
      return this.#listPage({ bucket: request.bucket, prefix: request.prefix, after: lastKey }, lastKey)
    }
  }

  async #listPage(
    request: { bucket: string; prefix: string } & PageStart,
    lastKey: string,
  ): Promise<ListingPage> {
    const command = new ListObjectsV2Command({
      Bucket: request.bucket,
      Prefix: request.prefix || undefined,
      // Keys may contain what XML cannot: they come percent-encoded.
      EncodingType: 'url',
      ...('token' in request
        ? { ContinuationToken: request.token }
        : { StartAfter: request.after || undefined }),
    })
    const answer = await this.#request('ListObjectsV2', (abortSignal) =>
      this.#s3.send(command, { abortSignal }),
    )
    return listingPage(answer, request, lastKey)
  }

  /** @throws {AwsError} `subject` when S3 confirms that there is no such object */
  async head(bucket: string, key: string): Promise<ObjectHead> {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: key })
    try {
      const answer = await this.#request('HeadObject', (abortSignal) =>
        this.#s3.send(command, { abortSignal }),
      )
      const { StorageClass: storageClass, ArchiveStatus, Restore = '' } = answer
      const etag = strong(answer.ETag)
      if (etag === undefined)
        throw incompleteAnswer({ service: 's3', operation: 'HeadObject' }, 'the answer has no ETag')
      const isInArchive = archiveClasses.has(storageClass ?? '') || ArchiveStatus !== undefined
      const isArchived = isInArchive && !Restore.includes('ongoing-request="false"')
      const size = answer.ContentLength ?? (isArchived ? 0 : await this.#sizeByRange(bucket, key))
      return { size, etag, storageClass, isArchived, isConfirmed: answer.$metadata.requestId !== undefined }
    } catch (error) {
      // An answer to HEAD has no body and so no code: S3 says why to a GET.
      if (isConfirmedWithoutCode(error)) await this.probe(bucket, key)
      throw error
    }
  }

  /**
   * The object's bytes. The caller has reserved the memory: more than `size` bytes are not read.
   *
   * @param expected.size in bytes, as listed
   * @param expected.etag as listed; an answer that a proxy has stripped of its ETag is taken for it if it has the size
   * @throws {AwsError} `subject` when it is another object by now
   */
  async download(
    bucket: string,
    key: string,
    expected: { size: number; etag?: string | undefined },
  ): Promise<{ bytes: Uint8Array; etag: string }> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key })
    const deadlineMs = requestDeadlineMs(expected.size)
    return this.#request(
      'GetObject',
      async (abortSignal) => {
        const {
          Body,
          ETag: etag = expected.etag,
          ContentLength,
          $metadata,
        } = await this.#s3.send(command, { abortSignal })
        const refused = refusal(strong(etag), ContentLength, expected, $metadata.requestId !== undefined)
        if (refused || etag === undefined) {
          destroyBody(Body)
          throw refused ?? incompleteAnswer(getContext, noEtag)
        }
        const bytes = await readBody(Body, expected.size)
        if (bytes?.length !== expected.size) {
          const count = bytes ? `${bytes.length} of ${expected.size}` : `more than ${expected.size}`
          throw incompleteAnswer(getContext, `${count} bytes came`)
        }
        return { bytes, etag: strong(etag) ?? etag }
      },
      deadlineMs,
    )
  }

  /** For a proxy that takes the length from every answer: that of a range names the whole. */
  async #sizeByRange(bucket: string, key: string): Promise<number> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, Range: 'bytes=0-0' })
    return this.#request('GetObject', async (abortSignal) => {
      try {
        const { Body, ContentRange } = await this.#s3.send(command, { abortSignal })
        destroyBody(Body)
        const size = /\/(\d+)$/.exec(ContentRange ?? '')?.[1]
        if (size === undefined) throw incompleteAnswer(getContext, 'the answer does not tell the size')
        return Number(size)
      } catch (error) {
        if (toFailure(error, getContext).code === 'InvalidRange') return 0
        throw error
      }
    })
  }

  /** Reads the first byte of an object: evidence that S3 answers, and that objects can be read. */
  async probe(bucket: string, key: string): Promise<void> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: key, Range: 'bytes=0-0' })
    await this.#request('GetObject', async (abortSignal) => {
      try {
        const { Body, ETag } = await this.#s3.send(command, { abortSignal })
        destroyBody(Body)
        if (ETag === undefined) throw incompleteAnswer(getContext, noEtag)
      } catch (error) {
        // An empty object has no first byte; that it can be read is known all the same.
        if (toFailure(error, getContext).code !== 'InvalidRange') throw error
      }
    })
  }

  async #request<T>(
    operation: string,
    send: (signal: AbortSignal) => Promise<T>,
    deadlineMs = requestDeadlineMs(0),
  ): Promise<T> {
    try {
      return await withDeadline(deadlineMs, this.#forced, send)
    } catch (error) {
      throw toFailure(error, { service: 's3', operation, forced: this.#forced })
    }
  }

  /** The SDK follows a redirect for each request anew. @returns whether that is another region than before */
  async #useRegion(region: string | undefined): Promise<boolean> {
    if (region === undefined || (await this.#s3.config.region()) === region) return false
    this.#s3.config.region = async () => region
    return true
  }
}

const getContext = { service: 's3', operation: 'GetObject' } as const
const noEtag = 'the answer has no ETag'
/** Only S3 itself may contradict what is known of an object: its answers have a request ID. */
const unconfirmed = 'the answer is about another object and has no request ID'
const archiveClasses = new Set(['GLACIER', 'DEEP_ARCHIVE'])

/** S3's ETags are strong; a proxy that changes the encoding of a body weakens them on their way. */
function strong(etag: string | undefined): string | undefined {
  return etag?.replace(/^W\//, '')
}

function refusal(
  etag: string | undefined,
  contentLength: number | undefined,
  expected: { size: number; etag?: string | undefined },
  isConfirmed: boolean,
): AwsError | undefined {
  if (expected.etag !== undefined && etag !== expected.etag) {
    if (!isConfirmed) return incompleteAnswer(getContext, unconfirmed)
    return replaced('GetObject', 'it was listed')
  }
  if (contentLength === undefined || contentLength === expected.size) return undefined
  return incompleteAnswer(getContext, `${contentLength} of ${expected.size} bytes are announced`)
}

function isConfirmedWithoutCode(error: unknown): boolean {
  if (!(error instanceof AwsError) || error.code !== '') return false
  return error.kind === 'denied' || error.kind === 'subject' || error.status === 400
}
