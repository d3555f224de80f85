/**
 * The keys between the oldest picture that is still being looked at and the newest that was listed. Pictures
 * are done in any order; what a later process may skip is only what lies before the oldest undone one.
 */
export class ListingWindow {
  readonly #entries: Entry[] = []
  #first = 0
  #through: string
  #images: number
  #skipped: number

  constructor(from: { through: string; images: number; skipped: number }) {
    this.#through = from.through
    this.#images = from.images
    this.#skipped = from.skipped
  }

  /** Adds the next key of the listing. @returns the function that marks it as done */
  add(key: string, kind: Entry['kind']): () => void {
    const entry: Entry = { key, kind, isDone: kind === 'skipped' }
    this.#entries.push(entry)
    this.#advance()
    return () => {
      entry.isDone = true
      this.#advance()
    }
  }

  /** Every key up to `through` is done: so many pictures, so many keys that are none. */
  get through(): { through: string; images: number; skipped: number } {
    return { through: this.#through, images: this.#images, skipped: this.#skipped }
  }

  #advance(): void {
    for (let entry = this.#entries[this.#first]; entry?.isDone; entry = this.#entries[this.#first]) {
      this.#through = entry.key
      if (entry.kind === 'picture') this.#images++
      else this.#skipped++
      this.#first++
    }
    if (this.#first > 1000) {
      this.#entries.splice(0, this.#first)
      this.#first = 0
    }
  }
}

interface Entry {
  readonly key: string
  readonly kind: 'picture' | 'skipped'
  isDone: boolean
}
