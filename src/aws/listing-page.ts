import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { compareListed } from '../protocol/keys.ts'
import { incompleteAnswer } from './errors.ts'

/** An object as a listing gives it. */
export interface ListedObject {
  readonly key: string
  readonly etag: string | undefined
  /** in bytes */
  readonly size: number
  readonly storageClass: string | undefined
}

/** Where a page of a listing begins: behind a key, or where S3 said that the listing continues. */
export type PageStart = { readonly after: string } | { readonly token: string }

export interface ListingPage {
  readonly objects: readonly ListedObject[]
  /** undefined: this was the last page */
  readonly next: PageStart | undefined
}

const context = { service: 's3', operation: 'ListObjectsV2' } as const

/**
 * Parses one page of a listing. A page may be without keys although the listing goes on; an answer that is no page, or a
 * listing that does not advance, is a failure.
 *
 * @param from where the page was asked to begin
 * @param lastKey the last key of the pages before
 * @throws {AwsError} `transient`
 */
export function listingPage(
  answer: ListObjectsV2CommandOutput,
  from: PageStart,
  lastKey: string,
): ListingPage {
  if (answer.Name === undefined || answer.IsTruncated === undefined) {
    throw incompleteAnswer(context, 'the answer is not a page of a listing')
  }
  const listed = listedObjects(answer)
  const next = answer.IsTruncated ? nextStart(from, lastKey, listed, answer.NextContinuationToken) : undefined
  return { objects: inOrder(listed, lastKey), next }
}

/**
 * Runs rely on the order of the keys, which general-purpose buckets of S3 keep. A key that comes twice is taken once.
 *
 * @throws {AwsError} when a key comes after a greater one, as in directory buckets
 */
function inOrder(objects: readonly ListedObject[], lastKey: string): ListedObject[] {
  let last = lastKey
  return objects.filter(({ key }) => {
    const order = compareListed(key, last)
    if (order < 0) throw incompleteAnswer(context, `the keys are not listed in order: ${key} after ${last}`)
    last = key
    return order > 0
  })
}

function nextStart(
  from: PageStart,
  lastKey: string,
  objects: readonly ListedObject[],
  token: string | undefined,
): PageStart {
  const last = objects.at(-1)?.key
  const isStuck = last === undefined ? token === undefined : compareListed(last, lastKey) <= 0
  if (isStuck || (token !== undefined && 'token' in from && token === from.token)) {
    throw incompleteAnswer(context, 'the listing does not advance')
  }
  return token === undefined ? { after: last ?? lastKey } : { token }
}

function listedObjects({ Contents = [], EncodingType }: ListObjectsV2CommandOutput): ListedObject[] {
  const decode = EncodingType === 'url' ? urlDecoded : (key: string) => key
  return Contents.map(({ Key, ETag, Size, StorageClass }) => {
    if (Key === undefined || Size === undefined) {
      throw incompleteAnswer(context, 'an object is listed without its key or its size')
    }
    return { key: decode(Key), etag: ETag, size: Size, storageClass: StorageClass }
  })
}

/** S3 encodes as forms do: a space is a plus. */
function urlDecoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    throw incompleteAnswer(context, `the key ${key} is not percent-encoded as requested`)
  }
}
