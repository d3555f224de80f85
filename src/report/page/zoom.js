const greatest = 8
/** A pointer that moved less than this was not dragged: pixels. */
const steady = 5

/** How much larger than its stage the image is shown, and which part of it is seen. */
export class Zoom {
  #level = 1
  /** @type {HTMLElement} */
  #stage
  /** @type {(level: number) => void} */
  #changed

  /**
   * @param {HTMLElement} stage
   * @param {(level: number) => void} changed called whenever the level has changed
   */
  constructor(stage, changed) {
    this.#stage = stage
    this.#changed = changed
    stage.addEventListener('wheel', (event) => this.#wheel(event), { passive: false })
    stage.addEventListener('pointerdown', (event) => this.#drag(event))
  }

  get isZoomed() {
    return this.#level > 1
  }

  reset() {
    this.#set(1, this.#middle())
  }

  /** @param {number} factor above 1 in, below 1 out */
  by(factor) {
    this.#set(this.#level * factor, this.#middle())
  }

  /** @param {number} right @param {number} down in pixels */
  pan(right, down) {
    this.#stage.scrollBy(right, down)
  }

  #middle() {
    const { left, top, width, height } = this.#stage.getBoundingClientRect()
    return { clientX: left + width / 2, clientY: top + height / 2 }
  }

  /**
   * The point stays where it is while all around it grows.
   *
   * @param {number} wanted
   * @param {{ clientX: number, clientY: number }} point
   */
  #set(wanted, { clientX, clientY }) {
    const image = this.#stage.firstElementChild
    const before = image?.getBoundingClientRect()
    this.#level = Math.min(Math.max(wanted, 1), greatest)
    this.#stage.style.setProperty('--zoom', String(this.#level))
    this.#stage.classList.toggle('zoomed', this.isZoomed)
    const after = image?.getBoundingClientRect()
    if (before && after && before.width > 0) {
      const [x, y] = [(clientX - before.left) / before.width, (clientY - before.top) / before.height]
      this.#stage.scrollBy(after.left + x * after.width - clientX, after.top + y * after.height - clientY)
    }
    this.#changed(this.#level)
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault()
    this.#set(this.#level * Math.exp(-event.deltaY / 400), event)
  }

  /**
   * Drags with the mouse and clicks with anything; fingers scroll by themselves.
   *
   * @param {PointerEvent} down
   */
  #drag(down) {
    if (down.button !== 0) return
    const stage = this.#stage
    const from = { left: stage.scrollLeft, top: stage.scrollTop }
    let moved = false
    const move = (/** @type {PointerEvent} */ event) => {
      const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY]
      moved ||= Math.hypot(x, y) > steady
      stage.classList.toggle('dragged', moved && this.isZoomed)
      if (moved && down.pointerType === 'mouse') stage.scrollTo(from.left - x, from.top - y)
    }
    const listening = new AbortController()
    const end = (/** @type {PointerEvent} */ event) => {
      listening.abort()
      stage.classList.remove('dragged')
      if (event.type === 'pointerup' && !moved) this.#set(this.isZoomed ? 1 : 2.5, event)
    }
    addEventListener('pointermove', move, { signal: listening.signal })
    addEventListener('pointerup', end, { signal: listening.signal })
    addEventListener('pointercancel', end, { signal: listening.signal })
  }
}
