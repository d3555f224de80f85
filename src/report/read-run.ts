import { ImgpipeError } from '../host/exit-codes.ts'
import type { FailedImage } from '../protocol/messages.ts'
import type { CallCounts, Outcome, TextLine } from '../protocol/outcomes.ts'
import { readOutcomes, readResultsHead } from '../results/read.ts'
import { ReaderRuns } from '../state/reader-runs.ts'
import { withDatabase } from '../state/run-status.ts'
import type { RunSource } from './find-run.ts'
import { type Timeline, TimelineRecorder } from './timeline.ts'

/** A run as the report shows it. `images` holds the first ones in order of their keys; all else counts every image. */
export interface RunData {
  readonly run: string
  readonly isFinished: boolean
  readonly facts: RunFacts
  readonly images: readonly Outcome[]
  readonly outcomes: Readonly<Record<Outcome['outcome'], number>>
  /** lines of text, of all images */
  readonly lines: number
  readonly timeline: Timeline
}

/** What is known about a run besides its outcomes. */
export interface RunFacts {
  readonly bucket: string | undefined
  readonly label: string | undefined
  /** images with the label, images that the detector analysed, and those that it could not: once the run has ended */
  readonly count: number | undefined
  readonly images: number | undefined
  readonly detectorFailed: number | undefined
  /** as many of those as the end message could carry */
  readonly detectorFailures: readonly FailedImage[]
  /** ms since 1970 */
  readonly finishedAt: number | undefined
  /** Rekognition calls that the reader paid for, by operation */
  readonly calls: CallCounts
  /** images whose text was known from earlier runs */
  readonly reused: number
  /** requests of the reader to all services, by operation */
  readonly requests: CallCounts
}

/**
 * Reads a run outcome by outcome: a run may have a million images, and only the first `maxImages` and two times of each
 * of the others are kept.
 *
 * @throws {ImgpipeError} `disk`, `permission`, and `usage` when the run is gone by now
 */
export function readRun(stateDir: string, source: RunSource, maxImages: number): Promise<RunData> {
  return source.kind === 'results'
    ? readResults(source, maxImages)
    : readDatabase(stateDir, source.run, maxImages)
}

/** The lines of text of an image; those without text have none. */
export function linesOf(outcome: Outcome): readonly TextLine[] {
  return outcome.outcome === 'text' ? outcome.lines : []
}

async function readResults(
  { run, path }: RunSource & { kind: 'results' },
  maxImages: number,
): Promise<RunData> {
  const head = await readResultsHead(path)
  if (!head) throw new ImgpipeError('usage', `The results of run ${run} have been deleted.`)
  const aggregator = new RunAggregator(maxImages)
  for await (const outcome of readOutcomes(path)) aggregator.add(outcome)
  const finishedAt = Date.parse(head.finishedAt)
  const facts = { ...head, finishedAt: Number.isNaN(finishedAt) ? undefined : finishedAt }
  return { run, isFinished: true, facts, ...aggregator.result() }
}

/** An unfinished run: what the reader has recorded so far. */
function readDatabase(stateDir: string, run: string, maxImages: number): Promise<RunData> {
  return withDatabase(stateDir, 'reader', (database) => {
    const runs = database && new ReaderRuns(database)
    const row = database?.read(() => runs?.get(run))
    if (!runs || !row) throw new ImgpipeError('usage', `Run ${run} has been deleted.`)
    const { end, asked, reused, requests, seq } = row
    const aggregator = new RunAggregator(maxImages)
    database.read(() => {
      for (const outcome of runs.outcomes(seq, end?.count ?? Number.MAX_SAFE_INTEGER)) aggregator.add(outcome)
    })
    const facts: RunFacts = {
      bucket: undefined,
      label: undefined,
      count: end?.count,
      images: end?.images,
      detectorFailed: end?.failed,
      detectorFailures: end?.failures ?? [],
      finishedAt: undefined,
      calls: { DetectText: asked },
      reused,
      requests,
    }
    return { run, isFinished: false, facts, ...aggregator.result() }
  })
}

/** What all images of a run add up to, and the first of them. */
class RunAggregator {
  readonly #maxImages: number
  readonly #images: Outcome[] = []
  readonly #outcomes = { text: 0, 'no-text': 0, failed: 0 }
  readonly #timeline = new TimelineRecorder()
  #lines = 0

  constructor(maxImages: number) {
    this.#maxImages = maxImages
  }

  add(outcome: Outcome): void {
    if (this.#images.length < this.#maxImages) this.#images.push(outcome)
    this.#outcomes[outcome.outcome]++
    this.#lines += linesOf(outcome).length
    this.#timeline.add(outcome.sentAt, outcome.at)
  }

  result() {
    return {
      images: this.#images,
      outcomes: this.#outcomes,
      lines: this.#lines,
      timeline: this.#timeline.timeline(),
    }
  }
}
