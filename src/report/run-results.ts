import { ImgpipeError } from '../host/exit-codes.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import { type ExportFormat, exportRun } from '../results/export.ts'
import { readOutcomes, readResultsHead } from '../results/read.ts'
import { ReaderRuns } from '../state/reader-runs.ts'
import { withDatabase } from '../state/run-status.ts'
import { findRun } from './find-run.ts'

export interface ResultsRequest {
  readonly stateDir: string
  /** default: the run that results.txt shows; with `partial`, the newest one that is not finished */
  readonly run?: string | undefined
  readonly format: ExportFormat
  /** a run that is not finished will do */
  readonly partial: boolean
}

/**
 * Writes the results of a run outcome by outcome, in the order of the keys.
 *
 * @param write resolves when more may be written
 * @throws {ImgpipeError} `usage` when there is no such run or it is not finished, `interrupted` when it was finished while
 *   it was read, `permission`, `disk`
 */
export async function writeResults(
  { stateDir, run, format, partial }: ResultsRequest,
  write: (text: string) => Promise<void>,
): Promise<void> {
  const source = await findRun(stateDir, run, { unfinishedFirst: partial })
  if (source.kind === 'results') return writePublished(source, format, write)
  if (!partial) throw notFinished(source.run)
  await writePartial(stateDir, source.run, format, write)
}

async function writePublished(
  source: { readonly run: string; readonly path: string },
  format: ExportFormat,
  write: (text: string) => Promise<void>,
): Promise<void> {
  const published = await readResultsHead(source.path)
  if (!published) throw new ImgpipeError('usage', `The results of run ${source.run} have been deleted.`)
  const { run, bucket, label, count, images } = published
  const head = { run, isFinished: true, bucket, label, count, images }
  for await (const text of exportRun(format, head, readOutcomes(source.path))) await write(text)
}

/** No transaction is kept open meanwhile: whoever reads the output may be slow, and the worker's WAL would grow. */
function writePartial(
  stateDir: string,
  run: string,
  format: ExportFormat,
  write: (text: string) => Promise<void>,
): Promise<void> {
  return withDatabase(stateDir, 'reader', async (database) => {
    const runs = database && new ReaderRuns(database)
    const row = database?.read(() => runs?.get(run))
    if (!runs || !row) throw new ImgpipeError('usage', `Run ${run} has been deleted.`)
    const { count = null, images = null } = row.end ?? {}
    const head = { run, isFinished: false, bucket: null, label: null, count, images }
    const outcomes = runs.outcomes(row.seq, count ?? Number.MAX_SAFE_INTEGER)
    for await (const text of exportRun(format, head, each(outcomes))) await write(text)
    // Then its outcomes were deleted, perhaps before they were read.
    if (database.read(() => runs.get(run))?.state !== 'open') throw finishedMeanwhile(run)
  })
}

async function* each(outcomes: Iterable<Outcome>): AsyncGenerator<Outcome> {
  yield* outcomes
}

function notFinished(run: string): ImgpipeError {
  const message = `Run ${run} is not finished: "imgpipe results --partial ${run}" prints what has been read so far.`
  return new ImgpipeError('usage', message)
}

function finishedMeanwhile(run: string): ImgpipeError {
  const message = `Run ${run} was finished while it was read, so that this output lacks images: run "imgpipe results ${run}".`
  return new ImgpipeError('interrupted', message)
}
