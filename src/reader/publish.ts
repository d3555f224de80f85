import { copyFile, open, readdir, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { diskError, isFull, makeDurableFolder, syncFolder } from '../daemon/append-log.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import {
  type ResultsHead,
  resultsJsonEnd,
  resultsJsonPicture,
  resultsJsonStart,
  resultsLine,
} from '../protocol/results.ts'
import { isForeignRunId, isRunId } from '../protocol/run-id.ts'
import { runFolder } from './ledger.ts'

const headBytes = 8192

/** results.txt and results.json of a run, each written whole: temporary file, fsync, rename, fsync of the folder. */
export async function publishRun(
  stateDir: string,
  head: ResultsHead,
  outcomes: () => AsyncGenerator<Outcome>,
): Promise<void> {
  const folder = runFolder(stateDir, head.run)
  await withDiskErrors(folder, async () => {
    await writeRun(folder, head, outcomes())
    await showRun(stateDir, head.run)
  })
}

/** The same of results that were written elsewhere, byte for byte. */
export async function publishCopy(
  stateDir: string,
  run: string,
  { json, text }: { json: Buffer; text: Buffer },
): Promise<void> {
  const folder = runFolder(stateDir, run)
  await withDiskErrors(folder, async () => {
    await makeDurableFolder(folder)
    for (const [name, content] of [
      ['results.json', json],
      ['results.txt', text],
    ] as const) {
      const file = await TextFile.create(join(folder, `${name}.tmp`))
      await file
        .write(content.toString())
        .then(() => file.sync())
        .finally(() => file.close())
    }
    await showRun(stateDir, run)
  })
}

async function withDiskErrors(folder: string, write: () => Promise<void>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (isFull(error)) throw error
    throw diskError(folder, error)
  }
}

/** Gives the temporary files their names; results.txt last, for a run that has one is finished. */
async function showRun(stateDir: string, run: string): Promise<void> {
  const folder = runFolder(stateDir, run)
  await rename(join(folder, 'results.json.tmp'), join(folder, 'results.json'))
  await rename(join(folder, 'results.txt.tmp'), join(folder, 'results.txt'))
  await syncFolder(folder)
  await repairLatest(stateDir)
}

/** Writes results.json.tmp and results.txt.tmp, on the disk when it returns. */
export async function writeRun(
  folder: string,
  head: ResultsHead,
  outcomes: AsyncGenerator<Outcome>,
): Promise<void> {
  const json = await TextFile.create(join(folder, 'results.json.tmp'))
  const text = await TextFile.create(join(folder, 'results.txt.tmp'))
  try {
    let isFirst = true
    await json.write(resultsJsonStart(head))
    for await (const outcome of outcomes) {
      await json.write(resultsJsonPicture(outcome, isFirst))
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

/** Makes stateDir/results.txt the same as the run's, in one step. */
async function showAsLatest(stateDir: string, run: string): Promise<void> {
  const temporary = join(stateDir, 'results.txt.tmp')
  await copyFile(join(runFolder(stateDir, run), 'results.txt'), temporary)
  const file = await open(temporary, 'r+')
  try {
    await file.chmod(0o644)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, join(stateDir, 'results.txt'))
  await syncFolder(stateDir)
}

/** The run that finished last, by what its results.json says; undefined when none has. */
async function latestFinished(stateDir: string): Promise<{ run: string; finishedAt: number } | undefined> {
  let latest: { run: string; finishedAt: number } | undefined
  for (const run of await finishedRuns(stateDir)) {
    const finishedAt = await finishedAtOf(stateDir, run)
    if (!latest || finishedAt > latest.finishedAt) latest = { run, finishedAt }
  }
  return latest
}

/** A crash between the last two renames of a run leaves stateDir/results.txt behind by one: this catches up. */
export async function repairLatest(
  stateDir: string,
): Promise<{ run: string; finishedAt: number } | undefined> {
  const latest = await latestFinished(stateDir)
  if (latest) await showAsLatest(stateDir, latest.run)
  return latest
}

/** The runs of which there is anything on this disk, the earliest first. */
export async function runsIn(stateDir: string): Promise<string[]> {
  const names = await readdir(join(stateDir, 'runs')).catch(() => [])
  return names.filter((name) => isRunId(name) || isForeignRunId(name)).sort()
}

/** The runs whose results are on this disk. */
export async function finishedRuns(stateDir: string): Promise<string[]> {
  const runs = await runsIn(stateDir)
  const isFinished = await Promise.all(runs.map((run) => isRunFinished(stateDir, run)))
  return runs.filter((_, place) => isFinished[place])
}

export function isRunFinished(stateDir: string, run: string): Promise<boolean> {
  return stat(join(runFolder(stateDir, run), 'results.txt')).then(
    () => true,
    () => false,
  )
}

async function finishedAtOf(stateDir: string, run: string): Promise<number> {
  const head = await readResultsHead(stateDir, run)
  return head ? Date.parse(head.finishedAt) : 0
}

/** The first line of a run's results.json; undefined when the run is not finished. */
export async function readResultsHead(stateDir: string, run: string): Promise<ResultsHead | undefined> {
  const file = await open(join(runFolder(stateDir, run), 'results.json'), 'r').catch(() => undefined)
  try {
    const { buffer, bytesRead } = (await file?.read(Buffer.alloc(headBytes), 0, headBytes, 0)) ?? {}
    const firstLine = buffer?.toString('utf8', 0, bytesRead).split(',\n')[0]
    return firstLine ? JSON.parse(`${firstLine}}`) : undefined
  } catch {
    return undefined
  } finally {
    await file?.close()
  }
}

/** A file written piece by piece through a buffer of 64 KiB. */
class TextFile {
  readonly #file: Awaited<ReturnType<typeof open>>
  #waiting: string[] = []
  #length = 0

  static async create(path: string): Promise<TextFile> {
    const file = await open(path, 'w', 0o644)
    await file.chmod(0o644)
    return new TextFile(file)
  }

  private constructor(file: Awaited<ReturnType<typeof open>>) {
    this.#file = file
  }

  async write(text: string): Promise<void> {
    this.#waiting.push(text)
    this.#length += text.length
    if (this.#length >= 65_536) await this.#flush()
  }

  async sync(): Promise<void> {
    await this.#flush()
    await this.#file.sync()
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #flush(): Promise<void> {
    await this.#file.appendFile(this.#waiting.join(''))
    this.#waiting = []
    this.#length = 0
  }
}
