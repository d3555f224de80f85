const windowMilliseconds = 10_000

/** How many a second, over the last ten seconds. */
export class RateMeter {
  readonly #now: () => number
  readonly #marks: { at: number; total: number }[]
  #total = 0

  /** @param now milliseconds that never go back */
  constructor(now: () => number) {
    this.#now = now
    this.#marks = [{ at: now(), total: 0 }]
  }

  add(count = 1): void {
    this.#total += count
    const newest = this.#marks.at(-1)
    if (!newest || this.#now() - newest.at >= 500) this.#marks.push({ at: this.#now(), total: this.#total })
    while ((this.#marks[1]?.at ?? Infinity) < this.#now() - windowMilliseconds) this.#marks.shift()
  }

  get perSecond(): number {
    const oldest = this.#marks[0]
    const seconds = oldest ? (this.#now() - oldest.at) / 1000 : 0
    return oldest && seconds > 0 ? (this.#total - oldest.total) / seconds : 0
  }
}
