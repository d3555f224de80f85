import type { Outcome, TextLine } from '../protocol/outcomes.ts'
import { type Html, html } from './html.ts'
import type { ImageFile, SavedImage } from './image-files.ts'
import { linesOf } from './read-run.ts'
import { count, percent, untrustedText } from './wording.ts'

/** The directory beside index.html in which the images are. */
export const imagesDirectory = 'images'

/** More cards than this are laid out and loaded only when they are scrolled to. */
const eagerCards = 100

interface Gallery {
  readonly label: string
  readonly images: readonly Outcome[]
  readonly saved: ReadonlyMap<number, SavedImage>
}

/** Filters, search, and every image as a card. The filters work without a script, by the state of the radio buttons. */
export function gallery(given: Gallery): Html {
  return html`<section class="gallery" aria-labelledby="images-heading">
<h2 id="images-heading" class="visually-hidden">Images</h2>
${toolbar(given)}
<ol class="cards${given.images.length > eagerCards && ' many'}" id="cards">
${given.images.map((image, i) => card(image, given.saved.get(image.n), given.label, i >= eagerCards))}
</ol>
<p class="nothing" id="nothing" hidden>No image matches. <button type="button" id="show-all">Show all images</button></p>
</section>`
}

/** The name of an outcome on the page. */
export function outcomeName(outcome: Outcome['outcome'], label: string): string {
  return { text: `${label} and text`, 'no-text': `${label} only`, failed: 'Failed' }[outcome]
}

export const outcomes: readonly Outcome['outcome'][] = ['text', 'no-text', 'failed']

function toolbar({ label, images }: Gallery): Html {
  const filter = (value: string, name: string, matches: number) =>
    html`<label><input type="radio" name="outcome" value="${value}"${value === 'all' && html` checked`}><span>${name} <b>${count(matches)}</b></span></label>`
  return html`<form class="toolbar" id="toolbar" role="search">
<fieldset class="filters"><legend class="visually-hidden">Show</legend>
${filter('all', 'All', images.length)}
${outcomes.map((outcome) => filter(outcome, outcomeName(outcome, label), images.filter((image) => image.outcome === outcome).length))}
</fieldset>
<label class="search script-only"><span class="visually-hidden">Search texts and keys</span>
<input type="search" id="search" placeholder="Search" autocomplete="off" spellcheck="false" aria-keyshortcuts="/"><kbd aria-hidden="true">/</kbd></label>
<label class="switch"><input type="checkbox" id="show-boxes" checked><span>Boxes</span></label>
<p class="shown" id="shown" role="status"></p>
</form>`
}

function card(image: Outcome, saved: SavedImage | undefined, label: string, isLazy: boolean): Html {
  return html`<li class="card" id="p${image.n}" data-outcome="${image.outcome}">
${saved !== undefined && 'file' in saved ? thumbnail(image, saved, isLazy) : placeholder(saved?.missing)}
<div class="facts">
<h3 class="key">${untrustedText(image.key)}</h3>
${outcomeFacts(image)}
${image.confidence !== undefined && html`<p class="confidence"><span class="swatch" data-shape="label"></span>${label} <span class="percent">${percent(image.confidence)}</span></p>`}
</div>
</li>
`
}

function thumbnail(image: Outcome, { file, width, height }: ImageFile, isLazy: boolean): Html {
  return html`<a class="frame" href="${imagesDirectory}/${file}" aria-label="Enlarge image ${image.n}">
<span class="thumbnail ${ratioClass(width, height)}"><img src="${imagesDirectory}/${file}" width="${width}" height="${height}" alt=""${isLazy && html` loading="lazy" decoding="async"`}>${overlay(image)}</span></a>`
}

/**
 * The boxes over the image, in shares of it: they follow whatever size it is shown in. The style keeps their strokes from
 * being stretched.
 */
function overlay(image: Outcome): Html {
  const { boxes = [] } = image
  return html`<svg class="boxes" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">${boxes.map(
    ([left, top, width, height]) =>
      html`<rect x="${left}" y="${top}" width="${Math.max(width, 0)}" height="${Math.max(height, 0)}"/>`,
  )}${linesOf(image).map(
    ({ polygon }, i) =>
      html`<polygon data-line="${i}" points="${polygon.map(([x, y]) => `${x},${y}`).join(' ')}"/>`,
  )}</svg>`
}

function placeholder(missing = ''): Html {
  return html`<div class="frame absent"><p>No image to show</p><p class="why">${untrustedText(missing)}</p></div>`
}

function outcomeFacts(image: Outcome): Html {
  switch (image.outcome) {
    case 'text':
      return html`<ul class="lines">${image.lines.map(textLine)}</ul>`
    case 'no-text':
      return html`<p class="none">No text</p>`
    case 'failed':
      return html`<p class="failure"><b>Failed.</b> ${untrustedText(image.reason)}</p>`
  }
}

function textLine({ text, confidence }: TextLine, i: number): Html {
  const style = confidence < lowConfidence && ' low-confidence'
  return html`<li data-line="${i}"><span class="read">${untrustedText(text)}</span> <span class="percent${style}">${percent(confidence)}</span></li>`
}

/** Below this a text is often misread, which the page shows by color. Rekognition's own guide filters at 80. */
const lowConfidence = 80

function ratioClass(width: number, height: number): string {
  return `ratio-${width}-${height}`
}

/** A rule for each aspect ratio: inline styles are not allowed, and a card needs it before its image loads. */
export function ratioStyles(saved: Iterable<SavedImage>): string {
  const rules = new Map<string, number>()
  const ratios: number[] = []
  for (const image of saved) {
    if ('missing' in image) continue
    const ratio = image.width / image.height
    ratios.push(ratio)
    rules.set(ratioClass(image.width, image.height), ratio)
  }
  const shapes = [...rules].map(([name, ratio]) => `.${name}{--ratio:${ratio}}`)
  return [`.cards{--frame:${frameRatio(ratios)}}`, ...shapes].join('\n')
}

/** All cards have the same aspect ratio: the median of the images'. */
function frameRatio(ratios: readonly number[]): number {
  const middle = ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 4 / 3
  return Math.min(Math.max(middle, 1), 16 / 9)
}
