import type { BuildAppOptions } from 'fauxqs'

/** fauxqs's own store of objects. */
export type S3Store = NonNullable<BuildAppOptions['stores']>['s3Store']

type Listing = ReturnType<S3Store['listObjects']>
type ListOptions = NonNullable<Parameters<S3Store['listObjects']>[1]>
type StoredObject = Listing['objects'][number]

/**
 * Makes a store list in S3's order, by the bytes of the keys' UTF-8.
 *
 * fauxqs 2.4.1 sorts the keys as a dictionary does, but goes on after a page by their code units: of 2,500 keys
 * with capitals, accents and folders 500 were in no page. The pages must be cut from one and the same order.
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

/** UTF-8's order is that of the code points; JavaScript's `<` differs from it beyond U+FFFF. */
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
  const folders = new Set<string>()
  for (const object of inOrder) {
    if (startAfter !== '' && compareKeys(object.key, startAfter) <= 0) continue
    const folder = folderOf(object.key, prefix, delimiter)
    // A page that ended with a folder is continued by that folder's name.
    if (folder !== undefined && (folder === startAfter || folders.has(folder))) continue
    if (objects.length + folders.size >= maxKeys) {
      return { objects, commonPrefixes: continuable(objects, folders), isTruncated: maxKeys > 0 }
    }
    if (folder === undefined) objects.push(object)
    else folders.add(folder)
  }
  return { objects, commonPrefixes: [...folders], isTruncated: false }
}

/** The key up to the first delimiter behind the prefix, or undefined for a key that is listed itself. */
function folderOf(key: string, prefix: string, delimiter: string | undefined): string | undefined {
  if (delimiter === undefined || delimiter === '') return undefined
  const at = key.indexOf(delimiter, prefix.length)
  return at < 0 ? undefined : key.slice(0, at + delimiter.length)
}

/**
 * fauxqs goes on after the page's last object, or after its last folder when it has no object. So folders that
 * come after the last object are left for the next page, which would otherwise name them a second time.
 */
function continuable(objects: StoredObject[], folders: Set<string>): string[] {
  const last = objects.at(-1)
  if (last === undefined) return [...folders]
  return [...folders].filter((folder) => compareKeys(folder, last.key) < 0)
}
