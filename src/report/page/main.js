import { around, element } from './elements.js'
import { startFilter } from './filter.js'
import { startPlots } from './plots.js'
import { Viewer } from './viewer.js'

document.documentElement.classList.add('scripted')
startFilter()
startPlots()
new Viewer()
startPairing(element('cards', HTMLElement))
startPairing(element('viewer', HTMLElement))
element('cards', HTMLElement).addEventListener('error', markBroken, { capture: true })

/**
 * Pointing at a text lights up its box, and at a box its text.
 *
 * @param {HTMLElement} room
 */
function startPairing(room) {
  const clear = () => {
    for (const lit of room.querySelectorAll('.lit')) lit.classList.remove('lit')
  }
  room.addEventListener('pointerleave', clear)
  room.addEventListener('pointerover', (event) => {
    clear()
    const line = around(event, '[data-line]')?.dataset.line
    if (line === undefined) return
    const owner = around(event, '.card, .viewer')
    for (const part of owner?.querySelectorAll(`[data-line="${line}"]`) ?? []) part.classList.add('lit')
  })
}

/** @param {Event} event */
function markBroken(event) {
  around(event, '.frame')?.classList.add('broken')
}
