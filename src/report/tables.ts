import type { CallCounts, Outcome } from '../protocol/outcomes.ts'
import { type Html, html } from './html.ts'
import { linesOf, type RunFacts } from './read-run.ts'
import { count, counted, percent, untrustedText } from './wording.ts'

/** What results.txt says, as a table: each image with text, and its lines with their confidence. */
export function textsTable(images: readonly Outcome[]): Html | false {
  const withText = images.filter(({ outcome }) => outcome === 'text')
  if (withText.length === 0) return false
  return html`<details class="texts" id="texts">
<summary>All texts as a table <span>${counted(withText.length, 'image')}</span></summary>
<div class="scroll"><table>
<thead><tr><th scope="col">Image</th><th scope="col">Text</th><th scope="col" class="number">Confidence</th></tr></thead>
${withText.map(rows)}
</table></div>
</details>`
}

function rows(outcome: Outcome): Html {
  const lines = linesOf(outcome)
  const head = html`<th scope="rowgroup" rowspan="${Math.max(lines.length, 1)}">${untrustedText(outcome.key)}</th>`
  return html`<tbody>${lines.map(
    ({ text, confidence }, i) =>
      html`<tr>${i === 0 && head}<td>${untrustedText(text)}</td><td class="number">${percent(confidence)}</td></tr>`,
  )}</tbody>`
}

/** Images that the detector could not analyse: whether they show a car is unknown, so they have no card. */
export function failuresTable({ detectorFailures, detectorFailed = 0 }: RunFacts): Html | false {
  if (detectorFailures.length === 0) return false
  const omitted = detectorFailed - detectorFailures.length
  return html`<details class="texts" id="detector-failures">
<summary>Detector failures <span>${counted(detectorFailed, 'image')}</span></summary>
<div class="scroll"><table>
<thead><tr><th scope="col">Image</th><th scope="col">Reason</th></tr></thead>
<tbody>${detectorFailures.map(({ key, reason }) => html`<tr><th scope="row">${untrustedText(key)}</th><td>${untrustedText(reason)}</td></tr>`)}</tbody>
</table>${omitted > 0 && html`<p>${count(omitted)} more: see <code>imgpipe status</code> on the detector's host.</p>`}</div>
</details>`
}

/** The reader's requests by operation. */
export function requestsTable(requests: CallCounts): Html | false {
  const operations = Object.entries(requests).sort(([, a], [, b]) => b - a)
  if (operations.length === 0) return false
  return html`<details class="texts">
<summary>API requests (reader)</summary>
<div class="scroll"><table>
<thead><tr><th scope="col">Operation</th><th scope="col" class="number">Requests</th></tr></thead>
<tbody>${operations.map(([name, made]) => html`<tr><th scope="row">${untrustedText(name)}</th><td class="number">${count(made)}</td></tr>`)}</tbody>
</table></div>
</details>`
}
