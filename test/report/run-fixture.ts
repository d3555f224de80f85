import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { onTestFinished } from 'vitest'
import type { Outcome, RunEnd } from '../../src/protocol/outcomes.ts'
import {
  type ResultsHead,
  resultsJsonEnd,
  resultsJsonOutcome,
  resultsJsonStart,
} from '../../src/results/format.ts'
import { runDirectory } from '../../src/results/publish.ts'
import { ReaderState } from '../status/state-fixture.ts'

/** A directory of the test's own, gone with it. */
export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'imgpipe-report-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export const exampleRun = '20261122T174500Z-3f9a'

export const exampleHead: ResultsHead = {
  run: exampleRun,
  bucket: 'images',
  label: 'Car',
  count: 4,
  images: 9,
  detectorFailed: 2,
  detectorFailures: [{ key: 'empty.jpg', reason: 'the object is empty' }],
  texts: 2,
  failures: 1,
  finishedAt: '2026-11-22T17:45:21.000Z',
  calls: { DetectText: 3 },
  reused: 1,
  requests: { DetectText: 5, GetObject: 4 },
}

/** A run's results.json, written by the functions that the reader writes it with. */
export async function writeResults(
  stateDir: string,
  outcomes: readonly Outcome[],
  head: Partial<ResultsHead> = {},
): Promise<string> {
  const whole = { ...exampleHead, ...head }
  const lines = outcomes.map((outcome, i) => resultsJsonOutcome(outcome, i === 0)).join('')
  await mkdir(runDirectory(stateDir, whole.run), { recursive: true })
  await writeFile(resultsPath(stateDir, whole.run), resultsJsonStart(whole) + lines + resultsJsonEnd)
  return whole.run
}

export function resultsPath(stateDir: string, run = exampleRun): string {
  return join(runDirectory(stateDir, run), 'results.json')
}

/** An unfinished run in the reader's database. @param end once the end message has come */
export async function writeUnfinished(
  stateDir: string,
  run: string,
  outcomes: readonly Outcome[],
  end?: Partial<RunEnd>,
): Promise<void> {
  const state = await ReaderState.open(stateDir)
  const seq = await state.begin(run, outcomes)
  if (end) await state.setEnd(seq, end)
  await state.database.close()
}

const start = Date.parse('2026-11-22T17:45:00Z')

/** What every outcome has; sent a tenth of a second after the one before, recorded a second later. */
export function subject(n: number, key = `${n}.jpg`) {
  return { n, key, sentAt: start + n * 100, at: start + n * 100 + 1000 }
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

/** A plate seen at an angle: not a rectangle. */
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

/** A gray image: what is drawn over it is recognized by its color. */
export async function grayImage(width: number, height: number, orientation?: number): Promise<Uint8Array> {
  const image = sharp({ create: { width, height, channels: 3, background: '#808080' } }).jpeg()
  return await (orientation === undefined ? image : image.withMetadata({ orientation })).toBuffer()
}
