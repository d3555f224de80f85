import { createHash } from 'node:crypto'
import type { ListedObject, ListingPage, PageStart, S3Images } from '../aws/s3.ts'
import { type RetryOptions, retryUntilSuccess } from '../flow/retry.ts'
import { isImageKey } from '../protocol/keys.ts'
import type { Checkpoint } from '../state/detector-runs.ts'

/** The part of a bucket that is listed, and how each page is asked for until it comes. */
export interface Listing {
  readonly images: S3Images
  readonly bucket: string
  readonly prefix: string
  /** images listed at most; 0 = all */
  readonly maxImages: number
  readonly retry: Omit<RetryOptions, 'what'>
}

/** A page of the listing: the keys after the last one of the page before, up to `lastKey`. */
export interface ListedPage {
  readonly objects: readonly ListedObject[]
  /** nothing follows in the bucket; false where `maxImages` ended the listing */
  readonly isLast: boolean
}

/**
 * The bucket's objects in the order of their keys after `after`, a page at a time; ends behind the last image that
 * `maxImages` allows. A listing that was resumed counts the images before it: `imagesBefore`.
 */
export async function* listPages(
  listing: Listing,
  after: string,
  imagesBefore = 0,
): AsyncGenerator<ListedPage> {
  const { images, bucket, prefix, maxImages, retry } = listing
  let left = maxImages > 0 ? maxImages - imagesBefore : Number.POSITIVE_INFINITY
  let start: PageStart = { after }
  let lastKey = after
  while (left > 0) {
    const request = { bucket, prefix, ...start, lastKey }
    const page: ListingPage = await retryUntilSuccess(() => images.listPage(request), {
      ...retry,
      what: `list the bucket "${bucket}"`,
    })
    const objects = upTo(left, page.objects)
    left -= objects.filter(({ key }) => isImageKey(key)).length
    yield { objects, isLast: page.next === undefined && objects.length === page.objects.length }
    if (!page.next || left <= 0) return
    start = page.next
    lastKey = page.objects.at(-1)?.key ?? lastKey
  }
}

/** The objects up to the `max`-th image. */
function upTo(max: number, objects: readonly ListedObject[]): readonly ListedObject[] {
  if (objects.length <= max) return objects
  let images = 0
  const end = objects.findIndex(({ key }) => isImageKey(key) && ++images > max)
  return end < 0 ? objects : objects.slice(0, end)
}

/** @returns how many images the listing holds after `after` */
export async function countImages(listing: Listing, after: string, imagesBefore: number): Promise<number> {
  let count = 0
  for await (const { objects } of listPages(listing, after, imagesBefore)) {
    count += objects.filter(({ key }) => isImageKey(key)).length
  }
  return count
}

/**
 * Identifies a set of images (key and ETag) whatever the order in which they are added: the sum of their hashes,
 * modulo 2^128. It can be stored and continued, which a running SHA-256 cannot.
 */
export class ImageSetDigest {
  #sum: bigint

  /** @param stored as `toString` gave it; empty = no image */
  constructor(stored = '') {
    this.#sum = stored === '' ? 0n : BigInt(`0x${stored}`)
  }

  add(key: string, etag: string | undefined): void {
    const hash = createHash('sha256')
      .update(`${key}\0${etag ?? ''}`)
      .digest()
    this.#sum = BigInt.asUintN(128, this.#sum + hash.readBigUInt64LE(0) + (hash.readBigUInt64LE(8) << 64n))
  }

  toString(): string {
    return this.#sum.toString(16)
  }
}

interface Entry {
  readonly object: ListedObject
  readonly isImage: boolean
  isDecided: boolean
  isReused: boolean
}

const compactAfter = 1000

/**
 * The keys between the oldest undecided image and the newest listed one. Images are decided in any order; a later
 * process may skip only what lies before the oldest undecided one: the checkpoint.
 */
export class ListingWindow {
  readonly #entries: Entry[] = []
  readonly #digest: ImageSetDigest
  #first = 0
  #lastKey: string
  #images: number
  #skipped: number
  #reused: number

  constructor(from: Checkpoint) {
    this.#lastKey = from.lastKey
    this.#images = from.images
    this.#skipped = from.skipped
    this.#reused = from.reused
    this.#digest = new ImageSetDigest(from.digest)
  }

  /** Adds the next key of the listing. @returns the function that marks it as decided */
  add(object: ListedObject): (how: { isReused: boolean }) => void {
    const isImage = isImageKey(object.key)
    const entry: Entry = { object, isImage, isDecided: !isImage, isReused: false }
    this.#entries.push(entry)
    this.#advance()
    return ({ isReused }) => {
      entry.isDecided = true
      entry.isReused = isReused
      this.#advance()
    }
  }

  get checkpoint(): Checkpoint {
    return {
      lastKey: this.#lastKey,
      images: this.#images,
      skipped: this.#skipped,
      reused: this.#reused,
      digest: this.#digest.toString(),
    }
  }

  #advance(): void {
    for (let entry = this.#entries[this.#first]; entry?.isDecided; entry = this.#entries[this.#first]) {
      const { key, etag } = entry.object
      this.#lastKey = key
      if (entry.isImage) {
        this.#images++
        this.#digest.add(key, etag)
      } else {
        this.#skipped++
      }
      if (entry.isReused) this.#reused++
      this.#first++
    }
    if (this.#first > compactAfter) {
      this.#entries.splice(0, this.#first)
      this.#first = 0
    }
  }
}
