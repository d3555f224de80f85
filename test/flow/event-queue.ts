export interface Event {
  readonly at: number
  readonly order: number
  readonly action: () => void
  isCancelled: boolean
}

/** Events in order of time, and of insertion at the same time (a binary heap). */
export class EventQueue {
  readonly #heap: Event[] = []
  #order = 0

  add(at: number, action: () => void): Event {
    const heap = this.#heap
    const event = { at, order: this.#order++, action, isCancelled: false }
    let i = heap.length
    while (i > 0) {
      const parent = heap[(i - 1) >> 1]
      if (!parent || !isBefore(event, parent)) break
      heap[i] = parent
      i = (i - 1) >> 1
    }
    heap[i] = event
    return event
  }

  /** Removes the first event that was not cancelled. */
  next(): Event | undefined {
    let event = this.#removeFirst()
    while (event?.isCancelled) event = this.#removeFirst()
    return event
  }

  #removeFirst(): Event | undefined {
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

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
