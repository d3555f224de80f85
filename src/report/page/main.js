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
  room.addEventListener('pointerover', (event) => {
    for (const lit of room.querySelectorAll('.lit')) lit.classList.remove('lit')
    const line = around(event, '[data-line]')?.dataset.line
    const owner = around(event, '.card, .viewer')
    for (const part of owner?.querySelectorAll('[data-line]') ?? []) {
      if (part instanceof HTMLElement || part instanceof SVGElement) {
        part.classList.toggle('lit', part.dataset.line === line && line !== undefined)
      }
    }
  })
}

/** @param {Event} event */
function markBroken(event) {
  around(event, '.frame')?.classList.add('broken')
}
