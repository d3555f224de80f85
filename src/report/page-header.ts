import { outcomeName, outcomes } from './gallery.ts'
import { type Html, html } from './html.ts'
import type { RunData } from './read-run.ts'
import { count, counted, duration, rate, time, untrustedText } from './wording.ts'

/** Which run this is, what it found in one sentence, how the images divide, and figures. */
export function pageHeader(data: RunData, bucket: string, label: string): Html {
  return html`<header class="page-header">
<p class="brand">${mark}<span>imgpipe</span></p>
<div class="overview">
<div class="found">
<h1>${headline(data, label)}</h1>
<p class="origin"><span>Bucket <b>${untrustedText(bucket)}</b></span> <span>Run <b>${data.run}</b></span>${completion(data)}</p>
</div>
${figures(data)}
</div>
${unfinished(data)}
${summaryBar(data, label)}
</header>`
}

/** Two brackets around a plate: the program's logo, drawn in the page's own colors. */
const mark = html`<svg class="mark" viewBox="0 0 24 24" aria-hidden="true"><path d="M2 8V4a2 2 0 0 1 2-2h4M16 2h4a2 2 0 0 1 2 2v4M22 16v4a2 2 0 0 1-2 2h-4M8 22H4a2 2 0 0 1-2-2v-4"/><rect x="6.5" y="9" width="11" height="6" rx="1.4"/></svg>`

function headline({ isFinished, facts, outcomes: { text } }: RunData, label: string): Html {
  const of =
    facts.images === undefined
      ? html`${text === 1 ? 'image' : 'images'}`
      : html`of ${counted(facts.images, 'image')}`
  return html`${label} and text in <em>${count(text)}</em> ${of}${!isFinished && ' so far'}`
}

function completion({ facts: { finishedAt } }: RunData): Html | false {
  return finishedAt !== undefined && html` <span>Completed ${time(finishedAt)}</span>`
}

function unfinished({ isFinished, facts, outcomes }: RunData): Html | false {
  if (isFinished) return false
  const recorded = outcomes.text + outcomes['no-text'] + outcomes.failed
  const all = facts.count === undefined ? 'the detector has not finished yet' : `of ${count(facts.count)}`
  return html`<p class="notice" role="note"><b>This run is not complete yet: this is what the reader has recorded so far.</b> ${counted(recorded, 'image')} recorded, ${all}.</p>`
}

interface Part {
  readonly name: string
  readonly kind: string
  readonly size: number
}

/** All images of the run as one bar: text, no text, failed, and those without the label. */
function summaryBar(data: RunData, label: string): Html {
  const parts: Part[] = outcomes.map((outcome) => ({
    name: outcomeName(outcome, label),
    kind: outcome,
    size: data.outcomes[outcome],
  }))
  parts.push(...detectorParts(data, label))
  const some = parts.filter(({ size }) => size > 0)
  return html`<figure class="summary-bar">
${bar(some)}
<figcaption><ul>${some.map(({ name, kind, size }) => html`<li data-kind="${kind}"><b>${count(size)}</b> ${name}</li>`)}</ul></figcaption>
</figure>`
}

function detectorParts({ facts }: RunData, label: string): Part[] {
  if (facts.images === undefined || facts.count === undefined) return []
  const failed = facts.detectorFailed ?? 0
  return [
    { name: 'Detector failures', kind: 'detector-failed', size: failed },
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

function figures({ facts, timeline, lines }: RunData): Html {
  const hasTimes = timeline.start !== undefined
  const calls = sum(Object.values(facts.calls))
  return html`<dl class="figures">
${facts.images !== undefined && figure('Images analysed', count(facts.images))}
${figure('Lines of text', count(lines))}
${hasTimes && figure('Duration', duration(timeline.duration))}
${hasTimes && figure('Images/s', rate(timeline.meanRate))}
${hasTimes && figure('Max queue depth', count(timeline.maxDepth))}
${calls > 0 && figure('DetectText calls', count(calls))}
${facts.reused > 0 && figure('Answers reused', count(facts.reused))}
</dl>`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function figure(name: string, value: string): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}
