import { createHash } from 'node:crypto'
import { gallery, ratioStyles } from './gallery.ts'
import { Html, html } from './html.ts'
import type { SavedImage } from './image-files.ts'
import { pageHeader } from './page-header.ts'
import { pageScript, pageStyle } from './page-parts.ts'
import { plots } from './plots.ts'
import type { RunData } from './read-run.ts'
import { failuresTable, requestsTable, textsTable } from './tables.ts'
import { viewer } from './viewer.ts'
import { count, counted } from './wording.ts'

/** Marks index.html, so that a later report may replace it. */
export const generatorMark = '<meta name="generator" content="imgpipe report">'

interface Report {
  readonly data: RunData
  readonly bucket: string
  readonly label: string
  readonly saved: ReadonlyMap<number, SavedImage>
}

/** The whole of index.html. */
export async function reportDocument({ data, bucket, label, saved }: Report): Promise<string> {
  const style = `${await pageStyle()}\n${ratioStyles(saved.values())}`
  const script = await pageScript()
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentSecurityPolicy(style, script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
${Html.ownSource(generatorMark)}
<title>imgpipe report, run ${data.run}</title>
<style>${Html.ownSource(style)}</style>
</head>
<body>
<a class="skip" href="#cards">Skip to the images</a>
<main>
${pageHeader(data, bucket, label)}
${plots(data.timeline)}
${omitted(data)}
${gallery({ label, images: data.images, saved })}
<div class="tables">
${textsTable(data.images)}
${failuresTable(data.facts)}
${requestsTable(data.facts.requests)}
</div>
</main>
${footer}
${viewer}
<script type="module">${Html.ownSource(script)}</script>
</body>
</html>
`
  return page.toString()
}

/**
 * Nothing may load or run but this style, this script and the images: even markup that got past the escaping could
 * neither run nor send anything. Trusted Types also keep our script from turning text into markup.
 * (`file:` because a page opened from a file has no origin that 'self' would match.)
 */
function contentSecurityPolicy(style: string, script: string): string {
  return [
    "default-src 'none'",
    `script-src '${hash(script)}'`,
    `style-src '${hash(style)}'`,
    "img-src 'self' file:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
}

function hash(source: string): string {
  return `sha256-${createHash('sha256').update(source).digest('base64')}`
}

function omitted({ images, outcomes }: RunData): Html | false {
  const all = outcomes.text + outcomes['no-text'] + outcomes.failed
  if (all <= images.length) return false
  return html`<p class="notice" role="note"><b>The first ${counted(images.length, 'image')} of ${count(all)} are shown.</b> The figures and plots count all of them; <code>--max-images</code> shows more.</p>`
}

const footer = html`<footer>
<p class="keys script-only"><span><kbd>/</kbd> search</span> <span><kbd>Enter</kbd> enlarge</span> <span><kbd>←</kbd> <kbd>→</kbd> previous and next</span> <span><kbd>+</kbd> <kbd>−</kbd> zoom</span> <span><kbd>b</kbd> boxes</span> <span><kbd>Esc</kbd> close</span></p>
<p>Made by <b>imgpipe report</b>. This page loads nothing but the images beside it.</p>
</footer>`
