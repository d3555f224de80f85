import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** The keys that a state folder has on the disk as judged (a detector's) or as read (a reader's). */
export async function recordedKeys(stateDir: string): Promise<Set<string>> {
  const lines = await recordedLines(stateDir)
  return new Set(
    lines
      .filter((line) => 'verdict' in line || 'car' in line || 'outcome' in line)
      .map(({ key }) => key ?? ''),
  )
}

/** Whether a detector's state folder says that a run is done. */
export async function isDone(stateDir: string): Promise<boolean> {
  return (await doneRun(stateDir)) !== undefined
}

/** @returns the run that a detector's state folder says is done */
export async function doneRun(stateDir: string): Promise<string | undefined> {
  for (const path of await filesUnder(stateDir)) {
    if ((await wholeLines(path)).some((line) => 'done' in line)) return basename(path, '.ndjson')
  }
  return undefined
}

export type Line = { key?: string; verdict?: string; reason?: string }

/** The lines of all journals and ledgers of a state folder. */
export async function recordedLines(stateDir: string): Promise<Line[]> {
  return (await Promise.all((await filesUnder(stateDir)).map(wholeLines))).flat()
}

async function filesUnder(stateDir: string): Promise<string[]> {
  const names = await readdir(stateDir, { recursive: true }).catch(() => [])
  return names.filter((name) => name.endsWith('.ndjson')).map((name) => join(stateDir, name))
}

/** A torn last line counts for nothing. */
async function wholeLines(path: string): Promise<Line[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line))
}
