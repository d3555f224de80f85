import { outcomeName, outcomes } from './gallery.ts'
import { type Html, html } from './html.ts'
import type { RunStory } from './read-run.ts'
import { count, counted, duration, rate, strangersText, time } from './wording.ts'

/** Which run this is, what it found in one sentence, how it divides, and its figures. */
export function masthead(story: RunStory, bucket: string, label: string): Html {
  return html`<header class="masthead">
<p class="brand">${mark}<span>imgpipe</span></p>
<div class="overview">
<div class="found">
<h1>${headline(story, label)}</h1>
<p class="origin"><span>Bucket <b>${strangersText(bucket)}</b></span> <span>Run <b>${story.run}</b></span>${ending(story)}</p>
</div>
${figures(story)}
</div>
${unfinished(story)}
${division(story, label)}
</header>`
}

/** Two brackets around a plate: the program's sign, drawn in the page's own colours. */
const mark = html`<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M2 8V4a2 2 0 0 1 2-2h4M16 2h4a2 2 0 0 1 2 2v4M22 16v4a2 2 0 0 1-2 2h-4M8 22H4a2 2 0 0 1-2-2v-4"/><rect x="6.5" y="9" width="11" height="6" rx="1.4"/></svg>`

function headline({ finished, facts, outcomes: { text } }: RunStory, label: string): Html {
  const of =
    facts.images === undefined
      ? html`${text === 1 ? 'picture' : 'pictures'}`
      : html`of ${counted(facts.images, 'picture')}`
  return html`${label} and text in <em>${count(text)}</em> ${of}${!finished && ' so far'}`
}

function ending({ facts, finished }: RunStory): Html | false {
  if (!finished || facts.finishedAt === undefined) return false
  return html` <span>Finished ${time(facts.finishedAt)}</span>`
}

function unfinished({ finished, facts, outcomes: done }: RunStory): Html | false {
  if (finished) return false
  const recorded = done.text + done['no-text'] + done.failed
  const all = facts.count === undefined ? 'the detector has not ended yet' : `of ${count(facts.count)}`
  const words = facts.abandoned
    ? 'This run was given up before it was finished.'
    : 'This run is not finished yet: what follows is what the reader has recorded so far.'
  return html`<p class="notice" role="note"><b>${words}</b> ${counted(recorded, 'picture')} recorded, ${all}.</p>`
}

interface Part {
  readonly name: string
  readonly kind: string
  readonly size: number
}

/** All pictures that were looked at as one bar: text, no text, failed, and those without the label. */
function division(story: RunStory, label: string): Html {
  const parts: Part[] = outcomes.map((outcome) => ({
    name: outcomeName(outcome, label),
    kind: outcome,
    size: story.outcomes[outcome],
  }))
  parts.push(...detectorParts(story, label))
  const some = parts.filter(({ size }) => size > 0)
  return html`<figure class="division">
${bar(some)}
<figcaption><ul>${some.map(({ name, kind, size }) => html`<li data-kind="${kind}"><b>${count(size)}</b> ${name}</li>`)}</ul></figcaption>
</figure>`
}

function detectorParts({ facts }: RunStory, label: string): Part[] {
  if (facts.images === undefined || facts.count === undefined) return []
  const failed = facts.detectorFailed ?? 0
  return [
    { name: 'Not analysed by the detector', kind: 'detector-failed', size: failed },
    {
      name: `No ${label.toLowerCase()}`,
      kind: 'none',
      size: Math.max(facts.images - facts.count - failed, 0),
    },
  ]
}

function bar(parts: readonly Part[]): Html {
  const all = sum(parts.map(({ size }) => size))
  let left = 0
  const rects = parts.map(({ kind, size }) => {
    const width = (size / all) * 100
    left += width
    return html`<rect data-kind="${kind}" x="${left - width}%" width="${width}%" height="100%"/>`
  })
  return html`<svg class="bar" aria-hidden="true">${rects}</svg>`
}

function figures(story: RunStory): Html {
  const { facts, timeline } = story
  const timed = timeline.start !== undefined
  return html`<dl class="figures">
${facts.images !== undefined && figure('Pictures seen', count(facts.images))}
${figure('Lines of text', count(story.texts))}
${timed && figure('Time taken', duration(timeline.duration))}
${timed && figure('Pictures/s', rate(timeline.meanRate))}
${timed && figure('Deepest queue', count(timeline.deepest))}
${facts.calls.size > 0 && figure("Reader's requests", count(sum(facts.calls.values())))}
</dl>`
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0)
}

function figure(name: string, value: string): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}
