import { createHash } from 'node:crypto'

/**
 * Remembers the answers to recent questions, by the picture's bytes and not by its name: a rerun over the same
 * pictures costs nothing, and the same picture asked for twice at a time is looked at once.
 * What it hands out is shared: nobody may change it.
 */
export class AnswerCache<Answer> {
  readonly #capacity: number
  /** A Map keeps the order of insertion: the first entry is the one that was not asked for the longest. */
  readonly #answers = new Map<string, Promise<Answer>>()

  /** @param capacity answers to remember; 0 switches the cache off */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** The remembered answer, or a new one. Failures are not remembered. */
  answer(kind: string, picture: Uint8Array, compute: () => Promise<Answer>): Promise<Answer> {
    if (this.#capacity === 0) return compute()
    const key = `${kind} ${createHash('sha256').update(picture).digest('base64')}`
    const answer = this.#answers.get(key) ?? this.#compute(key, compute)
    this.#answers.delete(key)
    this.#answers.set(key, answer)
    this.#forgetOldest()
    return answer
  }

  #compute(key: string, compute: () => Promise<Answer>): Promise<Answer> {
    const answer = compute()
    answer.catch(() => {
      if (this.#answers.get(key) === answer) this.#answers.delete(key)
    })
    return answer
  }

  #forgetOldest(): void {
    const [oldest] = this.#answers.keys()
    if (this.#answers.size > this.#capacity && oldest !== undefined) this.#answers.delete(oldest)
  }
}
