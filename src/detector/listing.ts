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

  /** Adds another set, which has no image in common with this one. */
  addAll(other: ImageSetDigest): void {
    this.#sum = BigInt.asUintN(128, this.#sum + other.#sum)
  }

  toString(): string {
    return this.#sum.toString(16)
  }
}

/** Neighbouring keys of the listing that are all decided, or one that is not. */
interface Stretch {
  isDecided: boolean
  lastKey: string
  images: number
  skipped: number
  reused: number
  readonly digest: ImageSetDigest
  previous: Stretch | undefined
  next: Stretch | undefined
}

/**
 * The listed keys: what lies before the oldest undecided image is the checkpoint, which a later process may skip. Images
 * are decided in any order; a decided one becomes part of the stretches beside it, so memory depends on how many are
 * undecided, however far the listing is ahead of the oldest one.
 */
export class ListingWindow {
  /** always decided */
  readonly #first: Stretch
  #last: Stretch

  constructor({ lastKey, images, skipped, reused, digest }: Checkpoint) {
    const counts = { images, skipped, reused, digest: new ImageSetDigest(digest) }
    this.#first = { isDecided: true, lastKey, ...counts, previous: undefined, next: undefined }
    this.#last = this.#first
  }

  /** Adds the next key of the listing. @returns the function that marks it as decided */
  add({ key, etag }: ListedObject): (how: { isReused: boolean }) => void {
    const stretch = this.#append(key)
    if (!isImageKey(key)) {
      stretch.skipped = 1
      this.#decided(stretch)
    }
    return ({ isReused }) => {
      if (stretch.isDecided) return
      stretch.images = 1
      stretch.reused = isReused ? 1 : 0
      stretch.digest.add(key, etag)
      this.#decided(stretch)
    }
  }

  get checkpoint(): Checkpoint {
    const { lastKey, images, skipped, reused, digest } = this.#first
    return { lastKey, images, skipped, reused, digest: digest.toString() }
  }

  #append(lastKey: string): Stretch {
    const counts = { images: 0, skipped: 0, reused: 0, digest: new ImageSetDigest() }
    const stretch = { isDecided: false, lastKey, ...counts, previous: this.#last, next: undefined }
    this.#last.next = stretch
    this.#last = stretch
    return stretch
  }

  #decided(stretch: Stretch): void {
    stretch.isDecided = true
    const { previous, next } = stretch
    if (next?.isDecided) this.#merge(stretch, next)
    if (previous?.isDecided) this.#merge(previous, stretch)
  }

  /** Adds the next stretch to a stretch. */
  #merge(stretch: Stretch, next: Stretch): void {
    stretch.lastKey = next.lastKey
    stretch.images += next.images
    stretch.skipped += next.skipped
    stretch.reused += next.reused
    stretch.digest.addAll(next.digest)
    stretch.next = next.next
    if (next.next) next.next.previous = stretch
    else this.#last = stretch
  }
}
