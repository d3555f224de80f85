import type { ListedObject, Pictures } from '../aws/pictures.ts'
import { type Persistence, untilItWorks } from '../aws/retry.ts'
import { isPictureKey } from '../protocol/indexes.ts'

export interface Listing {
  readonly pictures: Pictures
  readonly bucket: string
  readonly prefix: string
  /** how each page is asked for until it comes */
  readonly persistence: Omit<Persistence, 'what'>
}

/** The bucket's objects in the order of their keys, after `startAfter`, a page at a time. */
export async function* listPages(
  listing: Listing,
  startAfter: string,
): AsyncGenerator<{ objects: ListedObject[]; isLast: boolean }> {
  for (let after = startAfter; ; ) {
    const page = await untilItWorks(() => listing.pictures.page(listing.bucket, listing.prefix, after), {
      ...listing.persistence,
      what: `list the bucket "${listing.bucket}"`,
    })
    yield page
    const last = page.objects.at(-1)
    if (page.isLast || !last) return
    after = last.key
  }
}

/** @returns how many pictures the listing holds after `startAfter`: what "of 1200" and the time left are made of */
export async function countPictures(listing: Listing, startAfter: string): Promise<number> {
  let count = 0
  for await (const { objects } of listPages(listing, startAfter)) {
    count += objects.filter(({ key }) => isPictureKey(key)).length
  }
  return count
}
