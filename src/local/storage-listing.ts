import type { BuildAppOptions } from 'fauxqs'

/** fauxqs's object store. */
export type S3Store = NonNullable<BuildAppOptions['stores']>['s3Store']

type Listing = ReturnType<S3Store['listObjects']>
type ListOptions = NonNullable<Parameters<S3Store['listObjects']>[1]>
type StoredObject = Listing['objects'][number]

/**
 * Makes a store list keys in S3's order: by their UTF-8 bytes.
 *
 * fauxqs 2.4.1 sorts keys by locale but continues after a page by UTF-16 code units: of 2,500 keys with uppercase
 * letters, accents and slashes, 500 appeared on no page. Sorting and paging must use the same order.
 */
export function listInKeyOrder(store: S3Store): void {
  const listAll = store.listObjects.bind(store)
  store.listObjects = (bucket, options = {}) => {
    const all = listAll(bucket, { prefix: options.prefix ?? '', maxKeys: Number.POSITIVE_INFINITY })
    return page(
      all.objects.sort((a, b) => compareKeys(a.key, b.key)),
      options,
    )
  }
}

/** UTF-8 byte order is code point order; JavaScript's `<` differs from it beyond U+FFFF. */
function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    if (a.charCodeAt(at) === b.charCodeAt(at)) continue
    return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0)
  }
  return a.length - b.length
}

function page(inOrder: StoredObject[], options: ListOptions): Listing {
  const { prefix = '', delimiter, maxKeys = 1000 } = options
  const startAfter = options.startAfter ?? options.marker ?? ''
  const objects: StoredObject[] = []
  const prefixes = new Set<string>()
  for (const object of inOrder) {
    if (startAfter !== '' && compareKeys(object.key, startAfter) <= 0) continue
    const commonPrefix = commonPrefixOf(object.key, prefix, delimiter)
    // A page that ended with a common prefix is continued from that prefix.
    if (commonPrefix !== undefined && (commonPrefix === startAfter || prefixes.has(commonPrefix))) continue
    if (objects.length + prefixes.size >= maxKeys) {
      return { objects, commonPrefixes: beforeContinuation(objects, prefixes), isTruncated: maxKeys > 0 }
    }
    if (commonPrefix === undefined) objects.push(object)
    else prefixes.add(commonPrefix)
  }
  return { objects, commonPrefixes: [...prefixes], isTruncated: false }
}

/** The key up to the first delimiter after the prefix, or undefined for a key that is listed itself. */
function commonPrefixOf(key: string, prefix: string, delimiter: string | undefined): string | undefined {
  if (delimiter === undefined || delimiter === '') return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : key.slice(0, at + delimiter.length)
}

/**
 * fauxqs continues after the page's last object, or after its last common prefix when it has no object. Prefixes that
 * sort after the last object are therefore left for the next page, which would otherwise repeat them.
 */
function beforeContinuation(objects: StoredObject[], prefixes: Set<string>): string[] {
  const last = objects.at(-1)
  if (last === undefined) return [...prefixes]
  return [...prefixes].filter((commonPrefix) => compareKeys(commonPrefix, last.key) < 0)
}
