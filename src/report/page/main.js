import { around, element } from './elements.js'
import { startFilter } from './filter.js'
import { startPlots } from './plots.js'
import { Viewer } from './viewer.js'

document.documentElement.classList.add('scripted')
startFilter()
startPlots()
new Viewer()
startHighlighting(element('cards', HTMLElement))
startHighlighting(element('viewer', HTMLElement))
element('cards', HTMLElement).addEventListener('error', markBroken, { capture: true })

/**
 * Pointing at a text lights up its box, and at a box its text.
 *
 * @param {HTMLElement} root
 */
function startHighlighting(root) {
  const clear = () => {
    for (const part of root.querySelectorAll('.highlighted')) part.classList.remove('highlighted')
  }
  root.addEventListener('pointerleave', clear)
  root.addEventListener('pointerover', (event) => {
    clear()
    const line = around(event, '[data-line]')?.dataset.line
    if (line === undefined) return
    const owner = around(event, '.card, .viewer')
    for (const part of owner?.querySelectorAll(`[data-line="${line}"]`) ?? [])
      part.classList.add('highlighted')
  })
}

/** @param {Event} event */
function markBroken(event) {
  around(event, '.frame')?.classList.add('broken')
}
