import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { imageMessage } from '../../src/protocol/messages.ts'
import type { Outcome, OutcomeSubject } from '../../src/protocol/outcomes.ts'
import { resultsJsonOutcome, resultsLine } from '../../src/results/format.ts'

/** docs/scale.md says how large messages and results are; volumes are chosen by it. */
const page = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8')
const subject = {
  n: 412_345,
  key: 'lot-17/2026-11-22/camera-3/frame-00412.jpg',
  etag: '"9b2cf535f27731c974343645a3985328"',
  confidence: 98.87621307373047,
  boxes: [
    [0.1053, 0.3127, 0.4471, 0.2968],
    [0.6152, 0.2874, 0.2013, 0.1769],
  ],
} as const satisfies OutcomeSubject
const seen = { ...subject, n: 412, sentAt: 1_763_831_700_000, at: 1_763_831_701_234 }
const polygon = [
  [0.4312, 0.5127],
  [0.5241, 0.5133],
  [0.5239, 0.5521],
  [0.431, 0.5515],
] as const
const withText = {
  ...seen,
  outcome: 'text',
  lines: [
    { text: 'YHI9 OTZ', confidence: 99.1234, polygon },
    { text: 'TAXI', confidence: 97.4321, polygon },
  ],
} as const satisfies Outcome

/** As SQS counts it: the body, and name, type and value of each attribute. */
function messageBytes(): number {
  const { body, attributes } = imageMessage({
    ...subject,
    run: '20261122T174500Z-3f9a',
    bucket: 'njit-cs-643',
    sizeBytes: 204_800,
    fresh: false,
  })
  const sizes = Object.entries(attributes).map(
    ([name, { DataType = '', StringValue = '' }]) => name.length + DataType.length + StringValue.length,
  )
  return sizes.reduce((sum, bytes) => sum + bytes, body.length)
}

test.each<[string, number]>([
  ['message, body and attributes', messageBytes()],
  ['results.json: an image with text', resultsJsonOutcome(withText, false).length],
  ['results.json: an image without text', resultsJsonOutcome({ ...seen, outcome: 'no-text' }, false).length],
  ['results.txt: an image with text', resultsLine(withText).length],
])('docs/scale.md has the size of %s', (what, bytes) => {
  const written = Number(new RegExp(`\\| ${what} \\| (\\d+) \\|`).exec(page)?.[1])
  expect(written / bytes, `${bytes} bytes`).toBeCloseTo(1, 1)
})
