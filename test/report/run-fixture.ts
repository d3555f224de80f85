import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { onTestFinished } from 'vitest'
import type { LedgerLine, Outcome } from '../../src/protocol/outcomes.ts'
import {
  type ResultsHead,
  resultsJsonEnd,
  resultsJsonPicture,
  resultsJsonStart,
} from '../../src/protocol/results.ts'

/** A folder of the test's own, gone with it. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'imgpipe-report-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export const exampleHead: ResultsHead = {
  run: '20261122T174500Z-3f9a',
  bucket: 'pictures',
  label: 'Car',
  count: 4,
  images: 9,
  detectorFailed: 1,
  texts: 2,
  failures: 1,
  finishedAt: '2026-11-22T17:45:21.000Z',
  calls: { DetectText: 4, GetObject: 3 },
}

/** A run's results.json, written by the very code that the reader writes it with. */
export async function writeResults(
  stateDir: string,
  outcomes: readonly Outcome[],
  head: Partial<ResultsHead> = {},
): Promise<string> {
  const whole = { ...exampleHead, ...head }
  const pictures = outcomes.map((outcome, i) => resultsJsonPicture(outcome, i === 0)).join('')
  const folder = await runFolder(stateDir, whole.run)
  await writeFile(join(folder, 'results.json'), resultsJsonStart(whole) + pictures + resultsJsonEnd)
  return whole.run
}

/** A ledger at work; `torn` is what a kill left of its last line. */
export async function writeLedger(
  stateDir: string,
  run: string,
  lines: readonly LedgerLine[],
  torn = '',
): Promise<void> {
  const folder = await runFolder(stateDir, run)
  await writeFile(
    join(folder, 'ledger.ndjson'),
    lines.map((line) => `${JSON.stringify(line)}\n`).join('') + torn,
  )
}

async function runFolder(stateDir: string, run: string): Promise<string> {
  const folder = join(stateDir, 'runs', run)
  await mkdir(folder, { recursive: true })
  return folder
}

const start = Date.parse('2026-11-22T17:45:00Z')

/** What every outcome has; sent a tenth of a second after the one before, recorded a second later. */
export function subject(n: number, key = `${n}.jpg`) {
  return { n, key, bucket: exampleHead.bucket, sentAt: start + n * 100, at: start + n * 100 + 1000 }
}

export function withText(n: number, texts: readonly string[], key?: string): Outcome {
  const lines = texts.map((text, i) => ({ text, confidence: 99.1 - i * 30, polygon: exampleQuadrangle }))
  return {
    ...subject(n, key),
    outcome: 'text',
    confidence: 98.06,
    boxes: [[0.1, 0.2, 0.5, 0.25]],
    lines,
  } satisfies Outcome
}

/** A plate that leans: no rectangle. */
export const exampleQuadrangle = [
  [0.2, 0.3],
  [0.4, 0.32],
  [0.39, 0.4],
  [0.19, 0.38],
] as const

export function withoutText(n: number, key?: string): Outcome {
  return { ...subject(n, key), outcome: 'no-text', confidence: 93.4, boxes: [[0.5, 0.5, 0.5, 0.5]] }
}

export function failed(n: number, reason: string, key?: string): Outcome {
  return { ...subject(n, key), outcome: 'failed', reason }
}

/** A grey picture, so that what is drawn over it can be told from it by colour. */
export async function greyPicture(width: number, height: number, orientation?: number): Promise<Uint8Array> {
  const picture = sharp({ create: { width, height, channels: 3, background: '#808080' } }).jpeg()
  return await (orientation === undefined ? picture : picture.withMetadata({ orientation })).toBuffer()
}
