/** A picture's index is its S3 key. */

/** Whether the detector looks at a key: JPEG and PNG by their ending, in any case. */
export function isPictureKey(key: string): boolean {
  return /\.(jpe?g|png)$/i.test(key)
}

/**
 * A text whose plain order is the natural order of indexes: runs of digits count as numbers (2.jpg before
 * 10.jpg), all else by code unit. Total and independent of locale, so every reader writes the same file.
 */
export function naturalOrder(index: string): string {
  const counted = index.replace(/[0-9]+/g, (digits) => {
    const number = digits.replace(/^0+/, '')
    // Where digits begin stands a 0, as it might; then a longer number is a larger one.
    return `0${String.fromCharCode(number.length)}${number}`
  })
  return `${counted}\0${index}`
}

export function compareIndexes(a: string, b: string): number {
  return compareText(naturalOrder(a), naturalOrder(b))
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** S3's order of listing (UTF-8 bytes), which differs from JavaScript's beyond U+FFFF. */
export function compareListed(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
