import { createHash } from 'node:crypto'
import { gallery, ratioStyles } from './gallery.ts'
import { Html, html } from './html.ts'
import { masthead } from './masthead.ts'
import { pageScript, pageStyle } from './page-parts.ts'
import type { SavedPicture } from './picture-files.ts'
import { plots } from './plots.ts'
import type { RunStory } from './read-run.ts'
import { requestsTable, textsTable } from './tables.ts'
import { viewer } from './viewer.ts'
import { count, counted } from './wording.ts'

/** What stands in index.html's head by which a later report knows that the folder is a report's. */
export const generatorMark = '<meta name="generator" content="imgpipe report">'

interface Report {
  readonly story: RunStory
  readonly bucket: string
  readonly label: string
  readonly saved: ReadonlyMap<number, SavedPicture>
}

/** The whole of index.html. */
export async function reportDocument({ story, bucket, label, saved }: Report): Promise<string> {
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
<title>imgpipe report, run ${story.run}</title>
<style>${Html.ownSource(style)}</style>
</head>
<body>
<a class="skip" href="#cards">Skip to the pictures</a>
<main>
${masthead(story, bucket, label)}
${plots(story.timeline)}
${leftOut(story)}
${gallery({ label, pictures: story.pictures, saved })}
<div class="tables">
${textsTable(story.pictures)}
${requestsTable(story.facts.calls)}
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
 * Nothing may load or run but this very style, this very script and the pictures: even markup that got past the
 * escaping could neither run nor call anyone. Trusted Types also keep our script from making markup of a text.
 * (`file:` because a page opened from a file has no origin that 'self' would stand for.)
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

function leftOut({ pictures, outcomes }: RunStory): Html | false {
  const all = outcomes.text + outcomes['no-text'] + outcomes.failed
  if (all <= pictures.length) return false
  return html`<p class="notice" role="note"><b>The first ${counted(pictures.length, 'picture')} of ${count(all)} are shown.</b> The figures and the plots count all of them; <code>--max-pictures</code> shows more.</p>`
}

const footer = html`<footer>
<p class="keys script-only"><span><kbd>/</kbd> search</span> <span><kbd>Enter</kbd> enlarge</span> <span><kbd>←</kbd> <kbd>→</kbd> previous and next</span> <span><kbd>+</kbd> <kbd>−</kbd> zoom</span> <span><kbd>b</kbd> boxes</span> <span><kbd>Esc</kbd> close</span></p>
<p>Made by <b>imgpipe report</b>. This page loads nothing but the pictures beside it.</p>
</footer>`
