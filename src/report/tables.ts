import { type Html, html } from './html.ts'
import type { PictureRecord } from './records.ts'
import { count, counted, percent, strangersText } from './wording.ts'

/** What results.txt says, as a table: each picture with text, and its lines with their confidences. */
export function textsTable(pictures: readonly PictureRecord[]): Html | false {
  const withText = pictures.filter(({ outcome }) => outcome === 'text')
  if (withText.length === 0) return false
  return html`<details class="texts" id="texts">
<summary>All texts as a table <span>${counted(withText.length, 'picture')}</span></summary>
<div class="scroll"><table>
<thead><tr><th scope="col">Picture</th><th scope="col">Text</th><th scope="col" class="number">Confidence</th></tr></thead>
${withText.map(rows)}
</table></div>
</details>`
}

function rows({ key, lines }: PictureRecord): Html {
  const head = html`<th scope="rowgroup" rowspan="${Math.max(lines.length, 1)}">${strangersText(key)}</th>`
  return html`<tbody>${lines.map(
    ({ text, confidence }, i) =>
      html`<tr>${i === 0 && head}<td>${strangersText(text)}</td><td class="number">${confidence !== undefined && percent(confidence)}</td></tr>`,
  )}</tbody>`
}

/** The reader's requests by operation, which are what a run costs. */
export function requestsTable(calls: ReadonlyMap<string, number>): Html | false {
  if (calls.size === 0) return false
  const operations = [...calls].sort(([, a], [, b]) => b - a)
  return html`<details class="texts">
<summary>Requests of the reader</summary>
<div class="scroll"><table>
<thead><tr><th scope="col">Operation</th><th scope="col" class="number">Requests</th></tr></thead>
<tbody>${operations.map(([name, made]) => html`<tr><th scope="row">${strangersText(name)}</th><td class="number">${count(made)}</td></tr>`)}</tbody>
</table></div>
</details>`
}
