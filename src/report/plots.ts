import { type Html, html, scriptJson } from './html.ts'
import type { Timeline } from './timeline.ts'
import { count, duration, rate } from './wording.ts'

/** Drawn in a square of this side that is then stretched to the plot's size; the words around it are not. */
const side = 1000

/** The run over its time: images per second, and under it the queue's depth. Nothing where no times are known. */
export function plots(timeline: Timeline): Html | false {
  if (timeline.start === undefined) return false
  const highest = Math.max(...timeline.rates)
  return html`<section class="plots" id="plots" aria-labelledby="plots-heading">
<h2 id="plots-heading" class="visually-hidden">Over the run</h2>
<div class="pair">
${plot({
  id: 'rate',
  title: 'Images per second',
  top: rate(highest),
  shape: columns(timeline, highest),
  words: `Images recorded per second over ${duration(timeline.duration)}: ${rate(timeline.meanRate)} on average, ${rate(highest)} at most.`,
  timeline,
})}
${plot({
  id: 'depth',
  title: 'Queue depth',
  top: count(timeline.maxDepth),
  shape: mountains(timeline),
  words: `Images sent and not yet recorded over ${duration(timeline.duration)}: ${count(timeline.maxDepth)} at most.`,
  timeline,
})}
</div>
<script type="application/json" id="timeline">${scriptJson(numbers(timeline))}</script>
</section>`
}

interface Plot {
  readonly id: string
  readonly title: string
  /** The highest value, beside the top line. */
  readonly top: string
  readonly shape: Html
  /** What the plot shows, for those who do not see it. */
  readonly words: string
  readonly timeline: Timeline
}

function plot({ id, title, top, shape, words, timeline }: Plot): Html {
  return html`<figure class="plot" data-plot="${id}">
<figcaption>${title}</figcaption>
<div class="canvas">
<svg viewBox="0 0 ${side} ${side}" preserveAspectRatio="none" role="img" aria-label="${words}">
<path class="grid" d="M0 0H${side}M0 ${side / 2}H${side}"/>${shape}<path class="base" d="M0 ${side}H${side}"/>
</svg>
<span class="top">${top}</span>
</div>
<p class="ticks" aria-hidden="true"><span>0</span><span>${duration(timeline.duration / 2)}</span><span>${duration(timeline.duration)}</span></p>
</figure>`
}

function columns({ rates, step, duration: whole }: Timeline, highest: number): Html {
  const width = (step / whole) * side
  const gap = Math.min(width * 0.12, 3)
  return html`${rates.map((value, i) => {
    const height = (value / highest) * side
    const right = Math.min((i + 1) * width, side)
    return (
      value > 0 &&
      html`<rect x="${round(i * width)}" y="${round(side - height)}" width="${round(right - i * width - gap)}" height="${round(height)}"/>`
    )
  })}`
}

function mountains({ depths, maxDepth }: Timeline): Html {
  const width = side / depths.length
  const outline = depths.map(
    (depth, i) => `V${round(side - (depth / maxDepth) * side)}H${round((i + 1) * width)}`,
  )
  return html`<path class="area" d="M0 ${side}${outline.join('')}V${side}Z"/>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

/** What the script says of the point that is pointed at. Numbers only. */
function numbers({ duration: whole, step, rates, depths }: Timeline) {
  return { duration: whole, step, rates: rates.map((value) => Math.round(value * 100) / 100), depths }
}
