import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { indexMessage } from '../../src/protocol/messages.ts'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { resultsJsonPicture, resultsLine } from '../../src/protocol/results.ts'

/** docs/scale.md says how many bytes a picture takes where: this is its average picture, as the program writes it. */
const page = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8')
const n = 412_345
const key = 'lot-17/2026-11-22/camera-3/frame-00412.jpg'
const polygon = [
  [0.4312, 0.5127],
  [0.5241, 0.5133],
  [0.5239, 0.5521],
  [0.431, 0.5515],
] as const
const seen = {
  key,
  etag: '"9b2cf535f27731c974343645a3985328"',
  confidence: 98.87621307373047,
  boxes: [
    [0.1053, 0.3127, 0.4471, 0.2968],
    [0.6152, 0.2874, 0.2013, 0.1769],
  ] as const,
}
const bucket = 'njit-cs-643'
const base = { n, bucket, ...seen, sentAt: 1_763_831_700_000, at: 1_763_831_701_234 }
const lines = [
  { text: 'YHI9 OTZ', confidence: 99.1234, polygon },
  { text: 'TAXI', confidence: 97.4321, polygon },
]
const text: Outcome & { outcome: 'text' } = { ...base, outcome: 'text', lines }
const noText: Outcome = { ...base, outcome: 'no-text' }

function logLine(line: object): number {
  return Buffer.byteLength(`${JSON.stringify(line)}\n`)
}

function messageBytes(): number {
  const { body, attributes } = indexMessage({ run: '20261122T174500Z-3f9a', n, bucket, ...seen })
  const named = Object.entries(attributes).map(([name, { DataType = '', StringValue = '' }]) => {
    return name.length + DataType.length + StringValue.length
  })
  return named.reduce((sum, bytes) => sum + bytes, body.length)
}

test.each([
  ["A's journal: a picture without a car", logLine({ key, verdict: 'none' })],
  ["A's journal: a car", logLine({ car: n, ...seen })],
  ["A's journal: a message sent", logLine({ sent: n, at: base.at })],
  ['message, body and attributes', messageBytes()],
  ["B's ledger: a picture with text", logLine(text)],
  ["B's ledger: a picture without text", logLine(noText)],
  ['results.json: a picture with text', Buffer.byteLength(resultsJsonPicture(text, false))],
  ['results.json: a picture without text', Buffer.byteLength(resultsJsonPicture(noText, false))],
  ['results.txt: a picture with text', Buffer.byteLength(resultsLine(text))],
])('docs/scale.md has the bytes of %s', (what, bytes) => {
  const written = Number(new RegExp(`\\| ${what} \\| (\\d+) \\|`).exec(page)?.[1])
  expect(Math.abs(written - bytes) / bytes).toBeLessThan(0.05)
})

const hours = (pictures: number, rate = 50) => pictures / rate / 3600
const diskA = (pictures: number) => pictures * (0.6 * 70 + 0.4 * (213 + 35))
const kept = (pictures: number) => pictures * (0.2 * (531 + 296) + 0.2 * (509 + 274) + 2 * 0.2 * 60)
const sorting = (pictures: number) => kept(pictures) + pictures * 0.2 * (531 + 296)
const gigabyteMonths = (pictures: number) =>
  ((diskA(pictures) + sorting(pictures)) / 1e9) * Math.max(hours(pictures) / 720, 0.2)

test.each<[string, (pictures: number) => number]>([
  ['**hours** at 50/s', hours],
  ['at 5/s', (pictures) => hours(pictures, 5)],
  ["at 1,000/s (four A's)", (pictures) => hours(pictures, 1000)],
  ['**requests** DetectLabels', (pictures) => pictures],
  ['DetectText', (pictures) => 0.4 * pictures],
  ['S3 list, twice', (pictures) => (2 * pictures) / 1000],
  ['S3 get, by Rekognition', (pictures) => 1.4 * pictures],
  ['SQS, at most', (pictures) => 1.2 * pictures],
  ['**dollars** Rekognition', (pictures) => 1.4 * pictures * 1e-3],
  ['S3 get, $', (pictures) => 1.4 * pictures * 4e-7],
  ['S3 list, $', (pictures) => ((2 * pictures) / 1000) * 5e-6],
  ['SQS, $', (pictures) => 1.2 * pictures * 4e-7],
  ['two t3.micro', (pictures) => 2 * hours(pictures) * 0.0154],
  ['disks at', (pictures) => gigabyteMonths(pictures) * 0.08],
  ['B, beside the pictures', (pictures) => (0.4 * pictures) / 8],
  ['**disk** A', diskA],
  ['B: ledger and results', kept],
  ['B: and while it sorts', sorting],
])('docs/scale.md computes "%s" right', (label, sum) => {
  const row = page.split('\n').find((line) => line.startsWith(`| ${label}`)) ?? ''
  const [, , , million, billion] = row.split('|').map((cell) => cell.trim())
  expect(quantity(million) / sum(1e6)).toBeCloseTo(1, 1)
  expect(quantity(billion) / sum(1e9)).toBeCloseTo(1, 1)
})

/** `1,400.00`, `4 × 10⁸`, `0.14 GB`, `5,556 (231 days)` as a number (of bytes). */
function quantity(written = ''): number {
  const [, number = '', power = '', unit = ''] =
    /^([\d.,]+)?(?: ?(?:× )?10([⁸⁹]))?(?: ([kMG])B)?/.exec(written) ?? []
  const powers: Record<string, number> = { '': 1, '⁸': 1e8, '⁹': 1e9 }
  const units: Record<string, number> = { '': 1, k: 1e3, M: 1e6, G: 1e9 }
  return Number(number.replaceAll(',', '') || 1) * (powers[power] ?? 0) * (units[unit] ?? 0)
}
