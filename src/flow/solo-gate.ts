/** Lets attempts run side by side, but one that must be alone only when no other runs, and none beside it. */
export class SoloGate {
  #running = 0
  #solo: Promise<void> = Promise.resolve()
  #idle = Promise.withResolvers<void>()

  async run<T>(isSolo: boolean, attempt: () => Promise<T>): Promise<T> {
    if (isSolo) return this.#runAlone(attempt)
    await this.#solo
    this.#running++
    try {
      return await attempt()
    } finally {
      this.#running--
      if (this.#running === 0) {
        this.#idle.resolve()
        this.#idle = Promise.withResolvers()
      }
    }
  }

  async #runAlone<T>(attempt: () => Promise<T>): Promise<T> {
    const before = this.#solo
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#solo = before.then(() => promise)
    await before
    try {
      while (this.#running > 0) await this.#idle.promise
      return await attempt()
    } finally {
      resolve()
    }
  }
}
