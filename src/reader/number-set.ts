const bitsPerChunk = 8192

/** A set of whole numbers from 0 up: a bit each where they lie close, and no harm from one that lies far off. */
export class NumberSet {
  readonly #chunks = new Map<number, Uint8Array>()
  #size = 0

  get size(): number {
    return this.#size
  }

  has(number: number): boolean {
    const byte = this.#chunks.get(Math.floor(number / bitsPerChunk))?.[(number % bitsPerChunk) >> 3] ?? 0
    return (byte & (1 << (number & 7))) !== 0
  }

  /** @returns whether it was new */
  add(number: number): boolean {
    if (this.has(number)) return false
    const place = Math.floor(number / bitsPerChunk)
    const chunk = this.#chunks.get(place) ?? new Uint8Array(bitsPerChunk / 8)
    const at = (number % bitsPerChunk) >> 3
    chunk[at] = (chunk[at] ?? 0) | (1 << (number & 7))
    this.#chunks.set(place, chunk)
    this.#size++
    return true
  }

  /** @returns how many are at most `limit`; reads the whole set */
  countThrough(limit: number): number {
    let count = 0
    for (const number of this.values()) if (number <= limit) count++
    return count
  }

  *values(): Generator<number> {
    for (const [place, chunk] of this.#chunks) {
      for (let bit = 0; bit < bitsPerChunk; bit++) {
        if (((chunk[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0) yield place * bitsPerChunk + bit
      }
    }
  }
}
