/** Does one piece of work after the other, in the order in which they came; a failed one does not stop the next. */
export class InTurn {
  #newest: Promise<unknown> = Promise.resolve()

  /** @returns what the work returns, once it has had its turn. @throws what it throws */
  do<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#newest.then(work, work)
    this.#newest = mine.catch(() => undefined)
    return mine
  }
}
