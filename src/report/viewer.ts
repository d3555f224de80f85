import { html } from './html.ts'

const icon = (path: string) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="${path}"/></svg>`

/** The large view of one image, empty and closed: only the page's script fills and opens it. */
export const viewer = html`<dialog class="viewer" id="viewer" aria-labelledby="viewer-key">
<div class="viewer-bar">
<p class="place"><span id="viewer-place"></span></p>
<h2 id="viewer-key"></h2>
<div class="tools">
<button type="button" id="viewer-out" aria-label="Zoom out" aria-keyshortcuts="-">${icon('M5 12h14')}</button>
<button type="button" id="viewer-in" aria-label="Zoom in" aria-keyshortcuts="+">${icon('M5 12h14M12 5v14')}</button>
<button type="button" id="viewer-boxes" aria-label="Boxes" aria-pressed="true" aria-keyshortcuts="b">${icon('M3 8V5a2 2 0 0 1 2-2h3M16 3h3a2 2 0 0 1 2 2v3M21 16v3a2 2 0 0 1-2 2h-3M8 21H5a2 2 0 0 1-2-2v-3M8 10h8v4H8z')}</button>
<a id="viewer-original" target="_blank" rel="noopener" aria-label="Open the image alone">${icon('M14 4h6v6M20 4l-9 9M18 14v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h4')}</a>
<button type="button" id="viewer-close" aria-label="Close" aria-keyshortcuts="Escape">${icon('M6 6l12 12M18 6L6 18')}</button>
</div>
</div>
<div class="viewer-body">
<div class="viewport">
<div class="stage" id="viewer-stage"></div>
<button type="button" class="step back" id="viewer-back" aria-label="Previous image" aria-keyshortcuts="ArrowLeft">${icon('M15 5l-7 7 7 7')}</button>
<button type="button" class="step on" id="viewer-on" aria-label="Next image" aria-keyshortcuts="ArrowRight">${icon('M9 5l7 7-7 7')}</button>
</div>
<div class="viewer-facts facts" id="viewer-facts"></div>
</div>
</dialog>`
