import { describe, expect, it, test } from 'vitest'
import type { ListedObject, ListingPage, PageStart, S3Images } from '../../src/aws/s3.ts'
import {
  countImages,
  ImageSetDigest,
  type ListedPage,
  type Listing,
  ListingWindow,
  listPages,
} from '../../src/detector/listing.ts'
import { Failure } from '../../src/flow/failure.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { Script } from '../state/script.ts'
import { Random } from '../support/random.ts'

const never = Number.POSITIVE_INFINITY
const none = { lastKey: '', images: 0, skipped: 0, reused: 0, digest: '' }

function object(key: string): ListedObject {
  return { key, etag: `"${key}"`, size: 1, storageClass: undefined }
}

interface Request {
  readonly start: PageStart
  readonly lastKey: string | undefined
}

/** A bucket whose listing comes in these pages; a token is the number of the page it leads to. */
function bucketOf(pages: readonly (readonly string[])[], { failures = 0 } = {}) {
  const requests: Request[] = []
  let left = failures
  const listPage: S3Images['listPage'] = async ({ lastKey, ...from }) => {
    const start: PageStart = 'token' in from ? { token: from.token } : { after: from.after }
    if (left-- > 0) throw new Failure('transient', 'ListObjectsV2', 'HTTP status 500')
    requests.push({ start, lastKey })
    const all = pages.map((keys) => keys.map(object))
    const first =
      'token' in start
        ? Number(start.token)
        : all.findIndex((page) => page.some(({ key }) => key > start.after))
    const number = first < 0 ? all.length - 1 : first
    const after = 'after' in start ? start.after : ''
    const objects = (all[number] ?? []).filter(({ key }) => key > after)
    const next = number + 1 < all.length ? { token: String(number + 1) } : undefined
    return { objects, next } satisfies ListingPage
  }
  const listing = (maxImages = 0): Listing => ({
    images: { listPage } as S3Images,
    bucket: 'bucket',
    prefix: '',
    maxImages,
    retry: {
      policy: { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never },
      outages: new OutageLog({ error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }),
      signal: new AbortController().signal,
    },
  })
  return { listing, requests }
}

async function collect(pages: AsyncIterable<ListedPage>): Promise<{ keys: string[]; isLast: boolean }[]> {
  const collected: { keys: string[]; isLast: boolean }[] = []
  for await (const { objects, isLast } of pages)
    collected.push({ keys: objects.map(({ key }) => key), isLast })
  return collected
}

describe('a listing', () => {
  const bucket = () => bucketOf([['1.jpg', '2.txt', '3.jpg'], ['4.jpg', '5.jpg'], ['6.txt']])

  it('is read page by page, each asked for where the one before says', async () => {
    const { listing, requests } = bucket()
    expect(await collect(listPages(listing(), ''))).toEqual([
      { keys: ['1.jpg', '2.txt', '3.jpg'], isLast: false },
      { keys: ['4.jpg', '5.jpg'], isLast: false },
      { keys: ['6.txt'], isLast: true },
    ])
    expect(requests).toEqual([
      { start: { after: '' }, lastKey: '' },
      { start: { token: '1' }, lastKey: '3.jpg' },
      { start: { token: '2' }, lastKey: '5.jpg' },
    ])
  })

  it('is resumed behind a key', async () => {
    const { listing, requests } = bucket()
    const [first] = await collect(listPages(listing(), '2.txt'))
    expect(first).toEqual({ keys: ['3.jpg'], isLast: false })
    expect(requests[0]).toEqual({ start: { after: '2.txt' }, lastKey: '2.txt' })
    expect((await collect(listPages(listing(), '6.txt'))).at(-1)).toEqual({ keys: [], isLast: true })
  })

  it('of an empty bucket is one empty page', async () => {
    const { listing } = bucketOf([[]])
    expect(await collect(listPages(listing(), ''))).toEqual([{ keys: [], isLast: true }])
  })

  it('may have empty pages in between', async () => {
    const { listing, requests } = bucketOf([['1.jpg'], [], [], ['2.jpg'], []])
    const pages = await collect(listPages(listing(), ''))
    expect(pages.flatMap(({ keys }) => keys)).toEqual(['1.jpg', '2.jpg'])
    expect(pages.map(({ isLast }) => isLast)).toEqual([false, false, false, false, true])
    expect(requests.map(({ lastKey }) => lastKey)).toEqual(['', '1.jpg', '1.jpg', '1.jpg', '2.jpg'])
  })

  it('is asked for until it comes', async () => {
    const { listing } = bucketOf([['1.jpg'], ['2.jpg']], { failures: 2 })
    expect((await collect(listPages(listing(), ''))).flatMap(({ keys }) => keys)).toEqual(['1.jpg', '2.jpg'])
  })

  it('ends when its reader stops', async () => {
    const { listing, requests } = bucket()
    for await (const page of listPages(listing(), '')) if (page.objects.length > 0) break
    expect(requests).toHaveLength(1)
  })
})

describe('the limit of images', () => {
  const pages = [['1.jpg', '1.txt', '2.jpg', '2.txt', '3.jpg'], ['4.txt', '5.jpg'], ['6.jpg']]
  test.each([
    [1, 0, [['1.jpg', '1.txt']], false],
    [2, 0, [['1.jpg', '1.txt', '2.jpg', '2.txt']], false],
    [3, 0, [pages[0]], false],
    [4, 0, [pages[0], pages[1]], false],
    [5, 0, pages, true],
    [6, 0, pages, true],
    [0, 0, pages, true],
    [0, 99, pages, true],
    [3, 2, [['1.jpg', '1.txt']], false],
    [3, 3, [], undefined],
    [3, 4, [], undefined],
  ])('of %d, after %d before: %j', async (maxImages, imagesBefore, expected, isLast) => {
    const { listing } = bucketOf(pages)
    const collected = await collect(listPages(listing(maxImages), '', imagesBefore))
    expect(collected.map(({ keys }) => keys)).toEqual(expected)
    expect(collected.at(-1)?.isLast).toBe(isLast)
    const images = expected.flat().filter((key) => key?.endsWith('.jpg'))
    expect(await countImages(listing(maxImages), '', imagesBefore)).toBe(images.length)
  })

  it('may end the listing inside of the last page, which is not the end of the bucket then', async () => {
    const { listing } = bucketOf([['1.jpg', '2.jpg', '3.jpg', '4.txt']])
    expect(await collect(listPages(listing(2), ''))).toEqual([{ keys: ['1.jpg', '2.jpg'], isLast: false }])
    const all = { keys: ['1.jpg', '2.jpg', '3.jpg', '4.txt'], isLast: true }
    expect(await collect(listPages(listing(3), ''))).toEqual([all])
  })

  it('needs no request when it is reached already, and none for a page that is not needed', async () => {
    const { listing, requests } = bucketOf(pages)
    await collect(listPages(listing(3), '', 3))
    expect(requests).toEqual([])
    await collect(listPages(listing(3), ''))
    expect(requests).toHaveLength(1)
  })

  it('is the same in one go and resumed behind any key', async () => {
    const keys = pages.flat()
    for (const [n, after] of keys.entries()) {
      const before = keys.slice(0, n + 1)
      const { listing } = bucketOf(pages)
      const images = before.filter((key) => key.endsWith('.jpg')).length
      if (images > 4) continue
      const rest = (await collect(listPages(listing(4), after, images))).flatMap((page) => page.keys)
      const inOneGo = (await collect(listPages(listing(4), ''))).flatMap((page) => page.keys)
      const isImage = (key: string) => key.endsWith('.jpg')
      expect([...before, ...rest].filter(isImage), after).toEqual(inOneGo.filter(isImage))
    }
  })
})

describe('the digest of a set of images', () => {
  const images = Array.from(
    { length: 200 },
    (_, n) => [`${n}.jpg`, n % 7 === 0 ? undefined : `"${n}"`] as const,
  )
  const digestOf = (entries: readonly (readonly [string, string | undefined])[], stored?: string) => {
    const digest = new ImageSetDigest(stored)
    for (const [key, etag] of entries) digest.add(key, etag)
    return digest.toString()
  }

  it('does not depend on the order', () => {
    expect(digestOf(images.toReversed())).toBe(digestOf(images))
  })

  it('can be stored and continued anywhere', () => {
    for (const cut of [0, 1, 77, 199, 200]) {
      expect(digestOf(images.slice(cut), digestOf(images.slice(0, cut)))).toBe(digestOf(images))
    }
    expect(digestOf([], digestOf(images))).toBe(digestOf(images))
  })

  it('differs for every other set', () => {
    const [first, ...others] = images
    const digests = [
      digestOf(images),
      digestOf(others),
      digestOf([]),
      digestOf([...images, ['new.jpg', '"e"']]),
      digestOf([...images, first ?? ['', '']]),
      digestOf([...others, ['0.jpg', '"replaced"']]),
      digestOf([...others, ['0.jpg"', undefined]]),
    ]
    expect(new Set(digests).size).toBe(digests.length)
    expect(digestOf([['a', 'bc']])).not.toBe(digestOf([['ab', 'c']]))
  })

  it('of no image is the one that is stored before there is one', () => {
    expect(digestOf([], '')).toBe(digestOf([]))
    expect(digestOf([], digestOf([]))).toBe(digestOf([]))
  })
})

describe('the checkpoint of a listing', () => {
  it('lies before the oldest undecided image', () => {
    const window = new ListingWindow(none)
    const [first, second, third] = ['1.jpg', '2.jpg', '3.jpg'].map((key) => window.add(object(key)))
    expect(window.checkpoint).toMatchObject({ lastKey: '', images: 0 })
    second?.({ isReused: true })
    expect(window.checkpoint).toMatchObject({ lastKey: '', images: 0, reused: 0 })
    first?.({ isReused: false })
    expect(window.checkpoint).toMatchObject({ lastKey: '2.jpg', images: 2, reused: 1 })
    third?.({ isReused: false })
    third?.({ isReused: true })
    expect(window.checkpoint).toMatchObject({ lastKey: '3.jpg', images: 3, reused: 1, skipped: 0 })
  })

  it('passes what is no image, and counts it', () => {
    const window = new ListingWindow(none)
    window.add(object('0.txt'))
    expect(window.checkpoint).toMatchObject({ lastKey: '0.txt', skipped: 1, images: 0 })
    const decide = window.add(object('1.jpg'))
    window.add(object('2.txt'))
    expect(window.checkpoint).toMatchObject({ lastKey: '0.txt', skipped: 1 })
    decide({ isReused: false })
    expect(window.checkpoint).toMatchObject({ lastKey: '2.txt', skipped: 2, images: 1 })
  })

  it('identifies the images before it, and nothing else', () => {
    const window = new ListingWindow(none)
    const digest = new ImageSetDigest()
    for (const key of ['1.jpg', '2.txt', '3.jpg']) window.add(object(key))({ isReused: false })
    window.add(object('4.jpg'))
    for (const key of ['3.jpg', '1.jpg']) digest.add(key, object(key).etag)
    expect(window.checkpoint.digest).toBe(digest.toString())
  })

  it('takes memory for undecided images only, however many are decided behind the oldest one', async () => {
    const script = new Script(
      `
      const { ListingWindow } = await load('detector/listing.ts')
      const window = new ListingWindow({ lastKey: '', images: 0, skipped: 0, reused: 0, digest: '' })
      const add = (n) => window.add({ key: String(n).padStart(9, '0') + '.jpg', etag: '"e' + n + '"', size: 1 })
      const decideFirst = add(0)
      const heapBytes = () => (globalThis.gc(), process.memoryUsage().heapUsed)
      const before = heapBytes()
      for (let n = 1; n <= 100_000; n++) add(n)({ isReused: true })
      const behind = window.checkpoint.images
      const bytes = heapBytes() - before
      decideFirst({ isReused: false })
      report({ bytes, behind, ...window.checkpoint })`,
      { flags: ['--expose-gc'] },
    )
    const { bytes, ...reported } = (await script.next()) as { bytes: number }
    expect(bytes).toBeLessThan(5_000_000)
    expect(reported).toMatchObject({ behind: 0, lastKey: '000100000.jpg', images: 100_001, reused: 100_000 })
    await script.kill()
  })

  it('comes to the same in any order of decisions, and however often it is resumed', () => {
    const keys = Array.from(
      { length: 5_000 },
      (_, n) => `${String(n).padStart(5, '0')}${n % 9 === 0 ? '.txt' : '.jpg'}`,
    )
    const inOrder = new ListingWindow(none)
    for (const [n, key] of keys.entries()) inOrder.add(object(key))({ isReused: n % 3 === 0 })
    const random = new Random('window')
    let checkpoint: typeof none = none
    for (let round = 0; checkpoint.lastKey < (keys.at(-1) ?? ''); round++) {
      const window = new ListingWindow(checkpoint)
      const open: (() => void)[] = []
      // Some are in progress; the process is killed in the middle of it.
      const decisions = random.between(1, 3_000)
      for (const [n, key] of keys.entries()) {
        if (key <= checkpoint.lastKey) continue
        const decide = window.add(object(key))
        if (key.endsWith('.jpg')) open.push(() => decide({ isReused: n % 3 === 0 }))
        if (open.length > 50) open.splice(random.between(0, open.length - 1), 1)[0]?.()
        if (n >= decisions && random.chance(0.01)) break
      }
      const isLastRound = round > 100
      while (open.length > 0 && (isLastRound || random.chance(0.9))) open.shift()?.()
      expect(window.checkpoint.lastKey >= checkpoint.lastKey).toBe(true)
      checkpoint = window.checkpoint
    }
    expect(checkpoint).toEqual(inOrder.checkpoint)
    expect(checkpoint.images + checkpoint.skipped).toBe(keys.length)
  })
})
