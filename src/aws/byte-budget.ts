import { Stopped } from './retry.ts'

/** Bounds the bytes of the pictures held in memory at once: who wants more waits until others are done. */
export class ByteBudget {
  readonly #total: number
  #left: number
  readonly #waiting: { bytes: number; grant: () => void }[] = []

  constructor(totalBytes: number) {
    this.#total = totalBytes
    this.#left = totalBytes
  }

  /**
   * @param bytes more than the whole budget counts as the whole budget
   * @returns the function that gives them back, once
   * @throws {Stopped} when the signal aborts first
   */
  async take(bytes: number, signal: AbortSignal): Promise<() => void> {
    const share = Math.min(bytes, this.#total)
    await new Promise<void>((resolve, reject) => {
      const place = { bytes: share, grant: resolve }
      this.#waiting.push(place)
      signal.addEventListener('abort', () => this.#giveUp(place, reject), { once: true })
      this.#grant()
    })
    let isHeld = true
    return () => {
      if (isHeld) this.#left += share
      isHeld = false
      this.#grant()
    }
  }

  #giveUp(place: { bytes: number; grant: () => void }, reject: (error: Error) => void): void {
    const at = this.#waiting.indexOf(place)
    if (at >= 0) this.#waiting.splice(at, 1)
    reject(new Stopped())
  }

  /** In order: a large picture is not overtaken for ever by small ones. */
  #grant(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#left; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#left -= next.bytes
      next.grant()
    }
  }
}
