/**
 * The page's own element of that id. The page and this script are made together: a missing one is a mistake here.
 *
 * @template {Element} T
 * @param {string} id
 * @param {{ new (): T, prototype: T }} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id)
  if (!(found instanceof kind)) throw new Error(`The page has no ${kind.name} #${id}.`)
  return found
}

/**
 * The nearest element around an event's target that the selector names.
 *
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | SVGElement | undefined}
 */
export function around(event, selector) {
  const found = event.target instanceof Element ? event.target.closest(selector) : null
  return found instanceof HTMLElement || found instanceof SVGElement ? found : undefined
}

/** @returns {HTMLElement[]} every card, shown or not */
export function cards() {
  return [...document.querySelectorAll('.card')].filter((card) => card instanceof HTMLElement)
}
