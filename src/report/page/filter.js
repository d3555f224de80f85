import { cards, element } from './elements.js'

/** Search over texts and file names, beside the filters by outcome, which the style sheet does alone. */
export function startFilter() {
  const form = element('toolbar', HTMLFormElement)
  const search = element('search', HTMLInputElement)
  const searchable = cards().map((card) => ({ card, words: words(card) }))
  const apply = () => {
    const wanted = folded(search.value)
    for (const { card, words } of searchable) card.hidden = !words.includes(wanted)
    highlight(search.value.trim())
    showCount(form)
  }
  form.addEventListener('input', apply)
  form.addEventListener('submit', (event) => event.preventDefault())
  element('show-all', HTMLButtonElement).addEventListener('click', () => {
    form.reset()
    apply()
    search.focus()
  })
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') leave(search, apply)
  })
  addEventListener('keydown', (event) => {
    if (event.key === '/' && !isTyping(event)) startTyping(event, search)
  })
  // A browser that comes back to the page may bring back what was typed before.
  apply()
}

/** @param {HTMLElement} card */
function words(card) {
  const parts = [...card.querySelectorAll('.read, .key')]
  return parts.map((part) => folded(part.textContent)).join('\n')
}

/**
 * Without case and spaces: YHI9OTZ finds "YHI9 OTZ".
 *
 * @param {string} text
 */
function folded(text) {
  return text.normalize('NFKC').toLowerCase().replaceAll(/\s/g, '')
}

/** @param {HTMLFormElement} form */
function showCount(form) {
  const outcome = new FormData(form).get('outcome')
  const all = cards()
  const shown = all.filter(
    (card) => !card.hidden && (outcome === 'all' || card.dataset.outcome === outcome),
  ).length
  const line = element('shown', HTMLElement)
  line.textContent = shown === all.length ? '' : `${shown} of ${all.length} shown`
  element('nothing', HTMLElement).hidden = shown > 0 || all.length === 0
}

/**
 * Marks what was searched for, without touching the texts themselves.
 *
 * @param {string} wanted
 */
function highlight(wanted) {
  if (!('highlights' in CSS)) return
  CSS.highlights.delete('found')
  if (wanted === '') return
  const ranges = cards().flatMap((card) => (card.hidden ? [] : found(card, wanted.toLowerCase())))
  CSS.highlights.set('found', new Highlight(...ranges))
}

/**
 * @param {HTMLElement} card
 * @param {string} wanted
 */
function found(card, wanted) {
  return [...card.querySelectorAll('bdi')].flatMap(({ firstChild: text }) => {
    const at = text?.textContent?.toLowerCase().indexOf(wanted) ?? -1
    if (!(text instanceof Text) || at < 0 || at + wanted.length > text.length) return []
    const range = new Range()
    range.setStart(text, at)
    range.setEnd(text, at + wanted.length)
    return [range]
  })
}

/**
 * The first Escape empties the field, the second one leaves it.
 *
 * @param {HTMLInputElement} search
 * @param {() => void} apply
 */
function leave(search, apply) {
  if (search.value === '') search.blur()
  search.value = ''
  apply()
}

/** @param {KeyboardEvent} event */
function isTyping(event) {
  const { target } = event
  const inField = target instanceof HTMLInputElement && target.type === 'search'
  return (
    inField ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey ||
    document.querySelector('dialog[open]') !== null
  )
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLInputElement} search
 */
function startTyping(event, search) {
  event.preventDefault()
  search.focus()
  search.select()
}
