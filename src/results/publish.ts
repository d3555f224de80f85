import { createReadStream, existsSync } from 'node:fs'
import { copyFile, type FileHandle, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDurableDirectory, syncDirectory } from '../host/directories.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import {
  type ResultsHead,
  resultsJsonEnd,
  resultsJsonOutcome,
  resultsJsonStart,
  resultsLine,
} from './format.ts'

const bufferedLength = 65_536

/** Where the results of a run are: results.txt and results.json. */
export function runDirectory(stateDir: string, run: string): string {
  return join(stateDir, 'runs', run)
}

/**
 * Writes the results of a run. Whatever interrupts it, no file is ever seen half-written.
 *
 * @param options.isNewest stateDir/results.txt shows them too
 */
export async function publishRun(
  stateDir: string,
  head: ResultsHead,
  outcomes: Iterable<Outcome>,
  { isNewest = true } = {},
): Promise<void> {
  await writeRun(stateDir, head, outcomes)
  await showRun(stateDir, head.run, isNewest)
}

/** The same with results that were written elsewhere, byte for byte. */
export async function publishCopy(
  stateDir: string,
  run: string,
  results: { json: Buffer; text: Buffer },
  { isNewest = true } = {},
): Promise<void> {
  const directory = runDirectory(stateDir, run)
  await makeDurableDirectory(directory)
  await withFile(join(directory, temporary('results.json')), (file) => file.writeFile(results.json))
  await withFile(join(directory, temporary('results.txt')), (file) => file.writeFile(results.text))
  await showRun(stateDir, run, isNewest)
}

/** Writes the results of a run to temporary files, on the disk when it returns. */
export async function writeRun(
  stateDir: string,
  head: ResultsHead,
  outcomes: Iterable<Outcome>,
): Promise<void> {
  const directory = runDirectory(stateDir, head.run)
  await makeDurableDirectory(directory)
  await withFile(join(directory, temporary('results.json')), (json) =>
    withFile(join(directory, temporary('results.txt')), (text) =>
      writeOutcomes({ json, text }, head, outcomes),
    ),
  )
}

async function writeOutcomes(
  files: { json: FileHandle; text: FileHandle },
  head: ResultsHead,
  outcomes: Iterable<Outcome>,
): Promise<void> {
  const [json, text] = [new BufferedFile(files.json), new BufferedFile(files.text)]
  let isFirst = true
  await json.write(resultsJsonStart(head))
  for (const outcome of outcomes) {
    await json.write(resultsJsonOutcome(outcome, isFirst))
    if (outcome.outcome === 'text') await text.write(resultsLine(outcome))
    isFirst = false
  }
  await json.write(resultsJsonEnd)
  await json.flush()
  await text.flush()
}

/** What `writeRun` has written. */
export async function readWritten(stateDir: string, run: string): Promise<{ json: Buffer; text: Buffer }> {
  const directory = runDirectory(stateDir, run)
  return {
    json: await readFile(join(directory, temporary('results.json'))),
    text: await readFile(join(directory, temporary('results.txt'))),
  }
}

/**
 * Makes stateDir/results.txt the one of a run, in one step. Does nothing when it is, or when somebody has deleted the
 * run's files.
 */
export async function showLatest(stateDir: string, run: string): Promise<void> {
  const source = join(runDirectory(stateDir, run), 'results.txt')
  const target = join(stateDir, 'results.txt')
  if (!existsSync(source) || (await haveSameContent(source, target))) return
  await copyFile(source, temporary(target))
  const file = await open(temporary(target), 'r+')
  try {
    await file.chmod(0o644)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary(target), target)
  await syncDirectory(stateDir)
}

/** Deletes the results of runs that are not kept any longer. */
export async function deleteRunFiles(stateDir: string, runs: readonly string[]): Promise<void> {
  for (const run of runs) await rm(runDirectory(stateDir, run), { recursive: true, force: true })
}

/** Gives the temporary files their names; results.txt last, because a run that has one is finished. */
async function showRun(stateDir: string, run: string, isNewest: boolean): Promise<void> {
  const directory = runDirectory(stateDir, run)
  for (const name of ['results.json', 'results.txt']) {
    await rename(join(directory, temporary(name)), join(directory, name))
  }
  await syncDirectory(directory)
  if (isNewest) await showLatest(stateDir, run)
}

function temporary(path: string): string {
  return `${path}.tmp`
}

/** @returns false also when one of the files is missing */
async function haveSameContent(pathA: string, pathB: string): Promise<boolean> {
  const [a, b] = [chunks(pathA), chunks(pathB)]
  try {
    for (;;) {
      const [nextA, nextB] = [await a.next(), await b.next()]
      if (nextA.done || nextB.done) return nextA.done === nextB.done
      if (!nextA.value.equals(nextB.value)) return false
    }
  } catch {
    return false
  } finally {
    // A file that was not read to its end would stay open.
    await a.return(undefined)
    await b.return(undefined)
  }
}

async function* chunks(path: string): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(path)) yield chunk
}

/** Writes a file that anybody may read. @returns when it is on the disk, and closed */
async function withFile(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, 'w', 0o644)
  try {
    await file.chmod(0o644)
    await write(file)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A file that is written piece by piece through a buffer. */
class BufferedFile {
  readonly #file: FileHandle
  #pending: string[] = []
  #length = 0

  constructor(file: FileHandle) {
    this.#file = file
  }

  async write(text: string): Promise<void> {
    this.#pending.push(text)
    this.#length += text.length
    if (this.#length >= bufferedLength) await this.flush()
  }

  async flush(): Promise<void> {
    await this.#file.appendFile(this.#pending.join(''))
    this.#pending = []
    this.#length = 0
  }
}
