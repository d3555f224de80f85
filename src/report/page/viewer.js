import { around, cards, element } from './elements.js'
import { Zoom } from './zoom.js'

/** A swipe of so many pixels shows the next image. */
const swipe = 48
const panStep = 80

/** The large view: opens from a card, and turns over the cards that the filters show. */
export class Viewer {
  #dialog = element('viewer', HTMLDialogElement)
  #stage = element('viewer-stage', HTMLElement)
  #boxes = element('viewer-boxes', HTMLButtonElement)
  #back = element('viewer-back', HTMLButtonElement)
  #on = element('viewer-on', HTMLButtonElement)
  #out = element('viewer-out', HTMLButtonElement)
  #zoom = new Zoom(this.#stage, (level) => {
    grey(this.#out, level === 1)
  })
  /** @type {HTMLElement[]} */
  #cards = []
  #place = 0

  constructor() {
    element('cards', HTMLElement).addEventListener('click', (event) => this.#openFrom(event))
    this.#dialog.addEventListener('keydown', (event) => this.#key(event))
    this.#dialog.addEventListener('close', () => this.#closed())
    this.#back.addEventListener('click', () => this.#turn(-1))
    this.#on.addEventListener('click', () => this.#turn(1))
    this.#out.addEventListener('click', () => this.#zoom.by(1 / 1.6))
    this.#boxes.addEventListener('click', () => this.#toggleBoxes())
    element('viewer-in', HTMLElement).addEventListener('click', () => this.#zoom.by(1.6))
    element('viewer-close', HTMLElement).addEventListener('click', () => this.#dialog.close())
    this.#stage.addEventListener('pointerdown', (event) => this.#swipe(event))
  }

  /** @param {MouseEvent} event */
  #openFrom(event) {
    const card = around(event, 'a.frame') && around(event, '.card')
    // With these keys the browser opens the image itself, in a tab or a window of its own.
    if (!(card instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    this.#cards = cards().filter((other) => other.checkVisibility() && other.querySelector('a.frame'))
    this.#show(this.#cards.indexOf(card))
    this.#dialog.showModal()
    this.#zoom.reset()
    element('viewer-close', HTMLElement).focus()
  }

  /** @param {number} place */
  #show(place) {
    const card = this.#cards[place]
    const link = card?.querySelector('a.frame')
    const thumbnail = link?.querySelector('.thumbnail')?.cloneNode(true)
    if (!card || !(link instanceof HTMLAnchorElement) || !(thumbnail instanceof HTMLElement)) return
    this.#place = place
    const key = card.querySelector('.key')?.textContent ?? ''
    for (const image of thumbnail.querySelectorAll('img')) {
      image.loading = 'eager'
      image.draggable = false
      image.alt = key
    }
    this.#stage.replaceChildren(thumbnail)
    this.#zoom.reset()
    element('viewer-key', HTMLElement).textContent = key
    element('viewer-place', HTMLElement).textContent = `${place + 1} / ${this.#cards.length}`
    element('viewer-original', HTMLAnchorElement).href = link.href
    const facts = card.querySelectorAll('.facts > :not(.key)')
    element('viewer-facts', HTMLElement).replaceChildren(...[...facts].map((fact) => fact.cloneNode(true)))
    for (const part of this.#dialog.querySelectorAll('.highlighted')) part.classList.remove('highlighted')
    grey(this.#back, place === 0)
    grey(this.#on, place === this.#cards.length - 1)
  }

  /** @param {number} by */
  #turn(by) {
    const place = Math.min(Math.max(this.#place + by, 0), this.#cards.length - 1)
    if (place !== this.#place) this.#show(place)
  }

  #toggleBoxes() {
    const plain = this.#dialog.classList.toggle('plain')
    this.#boxes.setAttribute('aria-pressed', String(!plain))
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const act = this.#actions()[event.key]
    if (!act) return
    event.preventDefault()
    act()
  }

  /** Arrows move over an image that is larger than the stage, and to the next one otherwise. */
  #actions() {
    const zoom = this.#zoom
    const arrow = (/** @type {number} */ x, /** @type {number} */ y) => () =>
      zoom.isZoomed ? zoom.pan(x * panStep, y * panStep) : this.#turn(x)
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowLeft: arrow(-1, 0),
      ArrowRight: arrow(1, 0),
      Home: () => this.#turn(-this.#cards.length),
      End: () => this.#turn(this.#cards.length),
      PageUp: () => this.#turn(-1),
      PageDown: () => this.#turn(1),
      '+': () => zoom.by(1.6),
      '=': () => zoom.by(1.6),
      '-': () => zoom.by(1 / 1.6),
      0: () => zoom.reset(),
      b: () => this.#toggleBoxes(),
    }
    if (zoom.isZoomed) Object.assign(actions, { ArrowUp: arrow(0, -1), ArrowDown: arrow(0, 1) })
    return actions
  }

  /** @param {PointerEvent} down */
  #swipe(down) {
    if (down.pointerType === 'mouse') return
    const up = (/** @type {PointerEvent} */ event) => {
      const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY]
      if (this.#zoom.isZoomed || Math.abs(x) < swipe || Math.abs(x) < Math.abs(y)) return
      this.#turn(x < 0 ? 1 : -1)
    }
    addEventListener('pointerup', up, { once: true })
    addEventListener('pointercancel', () => removeEventListener('pointerup', up), { once: true })
  }

  /** The focus returns to the card of the image that was shown last. */
  #closed() {
    this.#stage.replaceChildren()
    const link = this.#cards[this.#place]?.querySelector('a.frame')
    if (link instanceof HTMLElement) link.focus()
  }
}

/**
 * Shows that a button does nothing now. Not by `disabled`: a button that is in focus when it is disabled takes
 * all keys with it.
 *
 * @param {HTMLButtonElement} button
 * @param {boolean} idle
 */
function grey(button, idle) {
  button.setAttribute('aria-disabled', String(idle))
}
