import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { readHeader } from './read-run.ts'

/** Where one run's outcomes stand. */
export interface RunFiles {
  readonly run: string
  /** Its results.json, or its ledger as far as it has come. */
  readonly file: string
  readonly finished: boolean
}

interface DatedRun extends RunFiles {
  /** When it was finished, or its ledger last written to: milliseconds since 1970. */
  readonly since: number
}

/**
 * The run called `wanted`; without a name the one that finished last, and if none has, the one at work.
 *
 * @throws {ImgpipeError} `usage`, when there is no such run, or none at all
 */
export async function findRun(stateDir: string, wanted?: string): Promise<RunFiles> {
  const folder = join(stateDir, 'runs')
  const names = await runNames(folder)
  const searched = wanted === undefined ? names : names.filter((name) => name === wanted)
  const runs = (await Promise.all(searched.map((name) => datedRun(folder, name)))).flat()
  const finished = runs.filter((run) => run.finished)
  const found = latest(finished) ?? latest(runs)
  if (found === undefined) throw noSuchRun(folder, wanted, names)
  return found
}

async function runNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw new ImgpipeError(
      'rights',
      `The folder ${folder} cannot be read (${codeOf(error)}): run the report as a user who may read it.`,
    )
  })
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort()
}

async function datedRun(folder: string, run: string): Promise<DatedRun[]> {
  const results = join(folder, run, 'results.json')
  const ledger = join(folder, run, 'ledger.ndjson')
  const header = await readHeader(results).catch(unlessMissing)
  if (header !== undefined) return [{ run, file: results, finished: true, since: header.finishedAt ?? 0 }]
  const written = await stat(ledger).catch(unlessMissing)
  return written === undefined ? [] : [{ run, file: ledger, finished: false, since: written.mtimeMs }]
}

function latest(runs: readonly DatedRun[]): DatedRun | undefined {
  return runs.toSorted((a, b) => b.since - a.since)[0]
}

function noSuchRun(folder: string, wanted: string | undefined, names: readonly string[]): ImgpipeError {
  if (wanted === undefined) {
    return new ImgpipeError(
      'usage',
      `There is no run under ${folder} yet: start imgpipe detect and imgpipe read first, or name the settings of a reader that has run with --config.`,
    )
  }
  const known = names.length === 0 ? 'there are none' : `the latest are ${names.slice(-5).join(', ')}`
  return new ImgpipeError('usage', `There is no run "${wanted}" under ${folder}: ${known}.`)
}

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR'
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
