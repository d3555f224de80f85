/** Whether the detector analyses a key: JPEG and PNG by their extension, in any case. */
export function isImageKey(key: string): boolean {
  return /\.(jpe?g|png)$/i.test(key)
}

/**
 * A sort key: its byte order is the natural order of object keys, in which runs of digits count as numbers (2.jpg
 * before 10.jpg) and everything else by code point. Total and independent of locale, so that every reader writes the
 * same file.
 */
export function naturalSortKey(key: string): Uint8Array {
  const counted = key.replace(/[0-9]+/g, (digits) => {
    const number = digits.replace(/^0+/, '')
    // A digit where digits begin; then the number's length, so that the longer number is the larger one. Keys have
    // at most 1024 bytes, so the length is a character below the surrogates, and these sort by length in UTF-8 too.
    return `0${String.fromCharCode(number.length + 1)}${number}`
  })
  return Buffer.from(`${counted}\0${key}`)
}

/** S3's order of listing and SQLite's of TEXT: UTF-8 bytes, which differs from JavaScript's beyond U+FFFF. */
export function compareListed(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
