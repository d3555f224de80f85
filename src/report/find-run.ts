import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ImgpipeError } from '../host/exit-codes.ts'
import { isForeignRunId, isRunId } from '../protocol/run-id.ts'
import { runDirectory } from '../results/publish.ts'
import { readResultsHead } from '../results/read.ts'
import { ReaderRuns } from '../state/reader-runs.ts'
import { withDatabase } from '../state/run-status.ts'

/** Where the outcomes of a run are: in its published results, or in the reader's database while it is not finished. */
export type RunSource =
  | { readonly kind: 'results'; readonly run: string; readonly path: string }
  | { readonly kind: 'database'; readonly run: string }

/**
 * The run with the ID `wanted`; by default the one that results.txt shows, and if there is none, the newest unfinished one. Published results are found without the database, too.
 *
 * @param options.unfinishedFirst the newest unfinished run comes before the one that results.txt shows
 * @throws {ImgpipeError} `usage` when there is no such run or none at all, `permission` or `disk` when it cannot be read
 */
export async function findRun(
  stateDir: string,
  wanted?: string,
  { unfinishedFirst = false } = {},
): Promise<RunSource> {
  if (wanted !== undefined && !isRunId(wanted) && !isForeignRunId(wanted)) throw noSuchRun(stateDir, wanted)
  const known = await knownRuns(stateDir, wanted).catch((error: unknown) => ({ error }))
  const unfinished = 'unfinished' in known ? known.unfinished : undefined
  const published = 'published' in known ? known.published : undefined
  if (unfinished !== undefined && (wanted !== undefined || unfinishedFirst))
    return { kind: 'database', run: unfinished }
  const source =
    (await resultsOf(stateDir, wanted ?? published)) ??
    (wanted === undefined ? await newestResults(stateDir) : undefined)
  if (source) return source
  if ('error' in known) throw known.error
  if (unfinished !== undefined) return { kind: 'database', run: unfinished }
  throw wanted === undefined ? noRuns(stateDir) : noSuchRun(stateDir, wanted)
}

/** What the reader's database knows: the run that results.txt shows, and the wanted or newest unfinished one. */
function knownRuns(
  stateDir: string,
  wanted: string | undefined,
): Promise<{ published: string | undefined; unfinished: string | undefined }> {
  return withDatabase(stateDir, 'reader', (database) => {
    if (!database) return { published: undefined, unfinished: undefined }
    return database.read(() => {
      const runs = new ReaderRuns(database)
      const unfinished = runs.open().findLast(({ run }) => wanted === undefined || run === wanted)
      return { published: runs.latest()?.run, unfinished: unfinished?.run }
    })
  })
}

async function resultsOf(stateDir: string, run: string | undefined): Promise<RunSource | undefined> {
  if (run === undefined) return undefined
  const path = resultsPath(stateDir, run)
  return (await readResultsHead(path)) && { kind: 'results', run, path }
}

/** Without a database to tell the order, the time of completion does. */
async function newestResults(stateDir: string): Promise<RunSource | undefined> {
  const names = await readdir(join(stateDir, 'runs')).catch(() => [])
  let newest: RunSource | undefined
  let newestAt = ''
  for (const run of names.filter((name) => isRunId(name) || isForeignRunId(name))) {
    const path = resultsPath(stateDir, run)
    const head = await readResultsHead(path)
    if (!head || head.finishedAt < newestAt) continue
    newest = { kind: 'results', run, path }
    newestAt = head.finishedAt
  }
  return newest
}

function resultsPath(stateDir: string, run: string): string {
  return join(runDirectory(stateDir, run), 'results.json')
}

function noRuns(stateDir: string): ImgpipeError {
  const message = `There are no runs in ${stateDir} yet: start "imgpipe detect" and "imgpipe read", or name the settings of a host that runs the reader with --config.`
  return new ImgpipeError('usage', message)
}

function noSuchRun(stateDir: string, wanted: string): ImgpipeError {
  const message = `There are no results of a run "${wanted}" in ${stateDir}: "imgpipe runs" lists the runs.`
  return new ImgpipeError('usage', message)
}
