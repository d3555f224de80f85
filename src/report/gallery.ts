import { type Html, html } from './html.ts'
import type { PictureFile, SavedPicture } from './picture-files.ts'
import type { Outcome, PictureRecord, ReadLine } from './records.ts'
import { count, percent, strangersText } from './wording.ts'

/** The folder beside index.html in which the pictures are. */
export const picturesFolder = 'pictures'

/** So many cards are laid out and loaded at once; of more, those out of sight wait until they are scrolled to. */
const fewCards = 100

interface Gallery {
  readonly label: string
  readonly pictures: readonly PictureRecord[]
  readonly saved: ReadonlyMap<number, SavedPicture>
}

/** The filters and the search, and every picture as a card. Filters work without script, by the radio buttons' state. */
export function gallery(given: Gallery): Html {
  return html`<section class="gallery" aria-labelledby="pictures-heading">
<h2 id="pictures-heading" class="unseen">Pictures</h2>
${toolbar(given)}
<ol class="cards${given.pictures.length > fewCards && ' many'}" id="cards">
${given.pictures.map((picture, i) => card(picture, given.saved.get(picture.n), given.label, i >= fewCards))}
</ol>
<p class="nothing" id="nothing" hidden>No picture matches. <button type="button" id="show-all">Show all pictures</button></p>
</section>`
}

/** How an outcome is called on the page. */
export function outcomeName(outcome: Outcome, label: string): string {
  return { text: `${label} and text`, 'no-text': `${label} only`, failed: 'Failed' }[outcome]
}

export const outcomes: readonly Outcome[] = ['text', 'no-text', 'failed']

function toolbar({ label, pictures }: Gallery): Html {
  const filter = (value: string, name: string, matches: number) =>
    html`<label><input type="radio" name="outcome" value="${value}"${value === 'all' && html` checked`}><span>${name} <b>${count(matches)}</b></span></label>`
  return html`<form class="toolbar" id="toolbar" role="search">
<fieldset class="filters"><legend class="unseen">Show</legend>
${filter('all', 'All', pictures.length)}
${outcomes.map((outcome) => filter(outcome, outcomeName(outcome, label), pictures.filter((picture) => picture.outcome === outcome).length))}
</fieldset>
<label class="search script-only"><span class="unseen">Search the texts and file names</span>
<input type="search" id="search" placeholder="Search the texts" autocomplete="off" spellcheck="false" aria-keyshortcuts="/"><kbd aria-hidden="true">/</kbd></label>
<label class="switch"><input type="checkbox" id="show-boxes" checked><span>Boxes</span></label>
<p class="shown" id="shown" role="status"></p>
</form>`
}

function card(picture: PictureRecord, saved: SavedPicture | undefined, label: string, isLate: boolean): Html {
  return html`<li class="card" id="p${picture.n}" data-outcome="${picture.outcome}">
${saved !== undefined && 'file' in saved ? shot(picture, saved, isLate) : placeholder(picture, saved?.missing)}
<div class="facts">
<h3 class="key">${strangersText(picture.key)}</h3>
${outcomeFacts(picture)}
${picture.confidence !== undefined && html`<p class="sureness"><span class="swatch" data-shape="label"></span>${label} <span class="percent">${percent(picture.confidence)}</span></p>`}
</div>
</li>
`
}

function shot(picture: PictureRecord, { file, width, height }: PictureFile, isLate: boolean): Html {
  return html`<a class="frame" href="${picturesFolder}/${file}" aria-label="Enlarge picture ${picture.n}">
<span class="shot ${ratioClass(width, height)}"><img src="${picturesFolder}/${file}" width="${width}" height="${height}" alt=""${isLate && html` loading="lazy" decoding="async"`}>${overlay(picture)}</span></a>`
}

/**
 * The boxes over the picture, in shares of it: they follow whatever size it is shown in. The style keeps their
 * strokes from being stretched.
 */
function overlay({ boxes, lines }: PictureRecord): Html {
  return html`<svg class="boxes" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">${boxes.map(
    ([left, top, width, height]) =>
      html`<rect x="${left}" y="${top}" width="${Math.max(width, 0)}" height="${Math.max(height, 0)}"/>`,
  )}${lines.map(
    ({ polygon }, i) =>
      html`<polygon data-line="${i}" points="${polygon.map(([x, y]) => `${x},${y}`).join(' ')}"/>`,
  )}</svg>`
}

function placeholder({ reason }: PictureRecord, missing: string | undefined): Html {
  return html`<div class="frame absent"><p>No picture to show</p><p class="why">${strangersText(missing ?? reason ?? '')}</p></div>`
}

function outcomeFacts(picture: PictureRecord): Html {
  switch (picture.outcome) {
    case 'text':
      return html`<ul class="lines">${picture.lines.map(textLine)}</ul>`
    case 'no-text':
      return html`<p class="none">No text</p>`
    case 'failed':
      return html`<p class="failure"><b>Failed.</b> ${strangersText(picture.reason ?? 'The reason was not recorded.')}</p>`
  }
}

function textLine({ text, confidence }: ReadLine, i: number): Html {
  return html`<li data-line="${i}"><span class="read">${strangersText(text)}</span>${
    confidence !== undefined &&
    html` <span class="percent${confidence < doubtfulBelow && ' doubtful'}">${percent(confidence)}</span>`
  }</li>`
}

/** Below it a text is often misread; the page says so by colour. Rekognition's own guide takes 80 as its floor. */
const doubtfulBelow = 80

function ratioClass(width: number, height: number): string {
  return `ratio-${width}-${height}`
}

/** A rule for each shape of picture: with no inline style allowed, this is how a card knows it before it loads. */
export function ratioStyles(saved: Iterable<SavedPicture>): string {
  const rules = new Map<string, number>()
  const ratios: number[] = []
  for (const picture of saved) {
    if ('missing' in picture) continue
    const ratio = picture.width / picture.height
    ratios.push(ratio)
    rules.set(ratioClass(picture.width, picture.height), ratio)
  }
  const shapes = [...rules].map(([name, ratio]) => `.${name}{--ratio:${ratio}}`)
  return [`.cards{--frame:${frameRatio(ratios)}}`, ...shapes].join('\n')
}

/** Cards are alike, in the shape that fits the run's pictures best: that of the one in the middle. */
function frameRatio(ratios: readonly number[]): number {
  const middle = ratios.toSorted((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 4 / 3
  return Math.min(Math.max(middle, 1), 16 / 9)
}
