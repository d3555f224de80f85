import { createReadStream, existsSync } from 'node:fs'
import { copyFile, open, readFile, rename, rm } from 'node:fs/promises'
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

/** Writes and shows the results of a run. Whatever interrupts it, no file is ever seen half-written. */
export async function publishRun(
  stateDir: string,
  head: ResultsHead,
  outcomes: Iterable<Outcome>,
): Promise<void> {
  await writeRun(stateDir, head, outcomes)
  await showRun(stateDir, head.run)
}

/** The same with results that were written elsewhere, byte for byte. */
export async function publishCopy(
  stateDir: string,
  run: string,
  results: { json: Buffer; text: Buffer },
): Promise<void> {
  const directory = runDirectory(stateDir, run)
  await makeDurableDirectory(directory)
  await writeSynced(join(directory, temporary('results.json')), results.json)
  await writeSynced(join(directory, temporary('results.txt')), results.text)
  await showRun(stateDir, run)
}

/** Writes the results of a run to temporary files, on the disk when it returns. @returns their contents */
export async function writeRun(
  stateDir: string,
  head: ResultsHead,
  outcomes: Iterable<Outcome>,
): Promise<void> {
  const directory = runDirectory(stateDir, head.run)
  await makeDurableDirectory(directory)
  const json = await BufferedFile.create(join(directory, temporary('results.json')))
  const text = await BufferedFile.create(join(directory, temporary('results.txt')))
  try {
    let isFirst = true
    await json.write(resultsJsonStart(head))
    for (const outcome of outcomes) {
      await json.write(resultsJsonOutcome(outcome, isFirst))
      if (outcome.outcome === 'text') await text.write(resultsLine(outcome))
      isFirst = false
    }
    await json.write(resultsJsonEnd)
    await json.sync()
    await text.sync()
  } finally {
    await json.close()
    await text.close()
  }
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
async function showRun(stateDir: string, run: string): Promise<void> {
  const directory = runDirectory(stateDir, run)
  for (const name of ['results.json', 'results.txt']) {
    await rename(join(directory, temporary(name)), join(directory, name))
  }
  await syncDirectory(directory)
  await showLatest(stateDir, run)
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

async function writeSynced(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'w', 0o644)
  try {
    await file.chmod(0o644)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A file that is written piece by piece through a buffer. */
class BufferedFile {
  readonly #file: Awaited<ReturnType<typeof open>>
  #pending: string[] = []
  #length = 0

  static async create(path: string): Promise<BufferedFile> {
    const file = await open(path, 'w', 0o644)
    await file.chmod(0o644)
    return new BufferedFile(file)
  }

  private constructor(file: Awaited<ReturnType<typeof open>>) {
    this.#file = file
  }

  async write(text: string): Promise<void> {
    this.#pending.push(text)
    this.#length += text.length
    if (this.#length >= bufferedLength) await this.#flush()
  }

  async sync(): Promise<void> {
    await this.#flush()
    await this.#file.sync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #flush(): Promise<void> {
    await this.#file.appendFile(this.#pending.join(''))
    this.#pending = []
    this.#length = 0
  }
}
