import { around } from './elements.js'

/**
 * @typedef {{ duration: number, step: number, rates: number[], depths: number[] }} Numbers
 * As the page's own JSON tells them: milliseconds, images per second, images.
 */

/** Says what both plots show at the point in time that the mouse or the arrow keys point at. */
export function startPlots() {
  const source = document.getElementById('timeline')
  if (source === null) return
  /** @type {Numbers} */
  const numbers = JSON.parse(source.textContent)
  const plots = [...document.querySelectorAll('.plot')].flatMap((plot) => readout(plot, numbers))
  const showAt = (/** @type {number | undefined} */ share) => {
    for (const show of plots) show(share)
  }
  for (const canvas of document.querySelectorAll('.canvas')) {
    if (canvas instanceof HTMLElement) listen(canvas, showAt)
  }
}

/**
 * @param {Element} plot
 * @param {Numbers} numbers
 * @returns {((share: number | undefined) => void)[]}
 */
function readout(plot, numbers) {
  const canvas = plot.querySelector('.canvas')
  const caption = plot.querySelector('figcaption')
  if (!(canvas instanceof HTMLElement) || !(plot instanceof HTMLElement) || caption === null) return []
  // No <output>: the slider's own words are read out already.
  const words = document.createElement('span')
  words.className = 'readout'
  const cross = document.createElement('span')
  cross.className = 'cross'
  cross.hidden = true
  caption.append(words)
  canvas.append(cross)
  asSlider(canvas, caption.textContent)
  return [
    (share) => {
      cross.hidden = share === undefined
      words.textContent = share === undefined ? '' : sentence(plot.dataset.plot === 'rate', share, numbers)
      if (share === undefined) return
      cross.style.left = `${share * 100}%`
      canvas.setAttribute('aria-valuenow', String(Math.round(share * 100)))
      canvas.setAttribute('aria-valuetext', words.textContent)
    },
  ]
}

/**
 * @param {HTMLElement} canvas
 * @param {string} name
 */
function asSlider(canvas, name) {
  canvas.tabIndex = 0
  canvas.setAttribute('role', 'slider')
  canvas.setAttribute('aria-label', `${name}, point in time`)
  canvas.setAttribute('aria-valuenow', '0')
}

/**
 * @param {boolean} isRate
 * @param {number} share
 * @param {Numbers} numbers
 */
function sentence(isRate, share, { duration, step, rates, depths }) {
  const seconds = (share * duration) / 1000
  const when = `${seconds.toFixed(duration < 100_000 ? 1 : 0)} s`
  const value = isRate
    ? rates[Math.min(Math.floor((share * duration) / step), rates.length - 1)]
    : depths[Math.min(Math.floor(share * depths.length), depths.length - 1)]
  return isRate ? `${value} a second at ${when}` : `${value} at ${when}`
}

/**
 * @param {HTMLElement} canvas
 * @param {(share: number | undefined) => void} showAt
 */
function listen(canvas, showAt) {
  let share = 0
  const point = (/** @type {number} */ wanted) => {
    share = Math.min(Math.max(wanted, 0), 1)
    showAt(share)
  }
  canvas.addEventListener('pointermove', (event) => {
    const { left, width } = canvas.getBoundingClientRect()
    point((event.clientX - left) / width)
  })
  canvas.addEventListener('pointerleave', () => showAt(undefined))
  canvas.addEventListener('blur', () => showAt(undefined))
  canvas.addEventListener('keydown', (event) => {
    const steps = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key]
    if (steps === undefined || around(event, '.canvas') !== canvas) return
    event.preventDefault()
    point(share + steps)
  })
}
