/** Things to do, in the order of time (a binary heap). */
export class Agenda {
  readonly #heap: { at: number; order: number; action: () => void }[] = []
  #order = 0

  add(at: number, action: () => void): void {
    const heap = this.#heap
    const event = { at, order: this.#order++, action }
    let i = heap.length
    while (i > 0) {
      const parent = heap[(i - 1) >> 1]
      if (!parent || !isBefore(event, parent)) break
      heap[i] = parent
      i = (i - 1) >> 1
    }
    heap[i] = event
  }

  next(): { at: number; action: () => void } | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let i = 0
    for (let child = heap[1]; child; child = heap[2 * i + 1]) {
      let at = 2 * i + 1
      const right = heap[at + 1]
      if (right && isBefore(right, child)) {
        child = right
        at += 1
      }
      if (!isBefore(child, last)) break
      heap[i] = child
      i = at
    }
    heap[i] = last
    return first
  }
}

function isBefore(a: { at: number; order: number }, b: { at: number; order: number }): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
