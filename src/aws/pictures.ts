import { randomUUID } from 'node:crypto'
import {
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { type StopSignals, withTimeout } from '../daemon/stop-signal.ts'
import { PictureFailure } from './attempts.ts'
import type { ByteBudget } from './byte-budget.ts'
import { Fault, toFault } from './errors.ts'
import { mostInlineBytes, mostObjectBytes } from './recognition.ts'

/** A key of the bucket as a listing gives it. */
export interface ListedObject {
  readonly key: string
  readonly etag: string | undefined
}

const downloadMilliseconds = 60_000

/** The pictures of S3 buckets; every method throws `Fault`, `PictureFailure` or `Stopped`. */
export class Pictures {
  readonly #s3: S3Client
  readonly #stop: StopSignals

  constructor(s3: S3Client, stop: StopSignals) {
    this.#s3 = s3
    this.#stop = stop
  }

  /** @returns the bucket's region as S3 tells it; undefined where it does not */
  async regionOf(bucket: string): Promise<string | undefined> {
    try {
      const answer = await this.#s3.send(new HeadBucketCommand({ Bucket: bucket }), this.#sendOptions)
      return answer.BucketRegion
    } catch (error) {
      const fault = toFault(error)
      if (fault.kind !== 'gone') throw fault
      throw new Fault('missing', 'NoSuchBucket', `there is no bucket "${bucket}"`, error)
    }
  }

  /** One page of the listing, in the order of the keys' UTF-8 bytes, after the key `startAfter`. */
  async page(
    bucket: string,
    prefix: string,
    startAfter: string,
  ): Promise<{ objects: ListedObject[]; isLast: boolean }> {
    // Keys may hold what XML cannot: they come percent-encoded.
    const command = new ListObjectsV2Command({
      Bucket: bucket,
      Prefix: prefix || undefined,
      StartAfter: startAfter || undefined,
      EncodingType: 'url',
    })
    const answer = await this.#s3.send(command, this.#sendOptions)
    return { objects: listedObjects(answer), isLast: answer.IsTruncated !== true }
  }

  /** @returns the object's size in bytes. @throws {Fault} `gone` when it is not there */
  async sizeOf(bucket: string, key: string): Promise<number> {
    const answer = await this.#s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), this.#sendOptions)
    return answer.ContentLength ?? 0
  }

  /** Asks for a key that is not there. @returns when S3 says so. @throws {Fault} when it says anything else, or nothing */
  async missNothing(bucket: string): Promise<void> {
    const command = new GetObjectCommand({ Bucket: bucket, Key: `imgpipe-control/${randomUUID()}` })
    const fault = await this.#s3.send(command, this.#sendOptions).then(() => undefined, toFault)
    if (fault?.kind !== 'gone')
      throw fault ?? new Fault('transient', 'Control', 'S3 has a key that nobody made')
  }

  /**
   * The picture's bytes, or that it is too large to be sent as bytes (nothing is downloaded then).
   *
   * @param expectedEtag what the detector saw; @throws {PictureFailure} when it is another picture by now
   * @param budget is held until `release` is called, so that few large pictures do not fill the memory
   */
  download(
    bucket: string,
    key: string,
    expectedEtag: string | undefined,
    budget: ByteBudget,
  ): Promise<Download> {
    return withTimeout(downloadMilliseconds, this.#stop.hard, async (abortSignal) => {
      const answer = await this.#s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal })
      const body = answer.Body
      const size = answer.ContentLength ?? 0
      const refuse = (reason: string) => {
        destroy(body)
        return new PictureFailure(reason)
      }
      if (expectedEtag && answer.ETag && answer.ETag !== expectedEtag) {
        throw refuse('the picture was replaced after its car was found')
      }
      if (size > mostObjectBytes)
        throw refuse(`the picture has ${size} bytes; Rekognition takes ${mostObjectBytes}`)
      if (size > mostInlineBytes) {
        destroy(body)
        return { kind: 'too large for bytes' }
      }
      const release = await budget.take(size, abortSignal)
      try {
        const bytes = (await body?.transformToByteArray()) ?? new Uint8Array()
        if (bytes.length !== size)
          throw new Fault('transient', 'Truncated', `${bytes.length} of ${size} bytes came`)
        return { kind: 'bytes', bytes, release }
      } catch (error) {
        release()
        throw error
      }
    })
  }

  get #sendOptions() {
    return { abortSignal: this.#stop.hard }
  }
}

export type Download =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly release: () => void }
  | { readonly kind: 'too large for bytes' }

function listedObjects(answer: ListObjectsV2CommandOutput): ListedObject[] {
  const decode = answer.EncodingType === 'url' ? urlDecoded : (key: string) => key
  return (answer.Contents ?? []).flatMap(({ Key, ETag }) => (Key ? [{ key: decode(Key), etag: ETag }] : []))
}

/** S3 encodes as forms do: a space is a plus. */
function urlDecoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    throw new ImgpipeError('unavailable', `S3 listed a key that is not percent-encoded as asked: ${key}`)
  }
}

function destroy(body: unknown): void {
  if (typeof body === 'object' && body !== null && 'destroy' in body && typeof body.destroy === 'function')
    body.destroy()
}
