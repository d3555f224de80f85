/** A picture's index is its S3 key. */

/** Whether the detector looks at a key: JPEG and PNG by their ending, in any case. */
export function isPictureKey(key: string): boolean {
  return /\.(jpe?g|png)$/i.test(key)
}

/**
 * Natural order of indexes: runs of digits compare as numbers (2.jpg before 10.jpg), all else by code unit.
 * Total and independent of locale, so every reader writes the same file.
 */
export function compareIndexes(a: string, b: string): number {
  const left = chunks(a)
  const right = chunks(b)
  for (let place = 0; place < Math.min(left.length, right.length); place++) {
    const order = compareChunks(left[place] ?? '', right[place] ?? '')
    if (order !== 0) return order
  }
  return left.length - right.length || compareText(a, b)
}

function chunks(index: string): string[] {
  return index.match(/\d+|\D+/g) ?? []
}

function compareChunks(a: string, b: string): number {
  return /^\d/.test(a) && /^\d/.test(b) ? compareDigits(a, b) : compareText(a, b)
}

/** Numbers of any length: the longer one without its leading zeros is the larger. */
function compareDigits(a: string, b: string): number {
  const [x, y] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')]
  return x.length - y.length || compareText(x, y)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** S3's order of listing (UTF-8 bytes), which differs from JavaScript's beyond U+FFFF. */
export function compareListed(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
