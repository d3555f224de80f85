/** Dice that fall the same way for the same seed (mulberry32). */
export class Random {
  #state: number

  /** @param seed numbers and texts; every different list is a series of its own */
  constructor(...seed: readonly (number | string)[]) {
    this.#state = hash(seed.join(' '))
  }

  /** @returns a number from 0 up to, not including, 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }

  /** @param share 0 = never, 1 = always */
  chance(share: number): boolean {
    return this.next() < share
  }

  /** @returns a whole number, both limits included */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.between(0, items.length - 1)] ?? items[0]
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193)
  return value
}
