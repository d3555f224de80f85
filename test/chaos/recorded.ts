import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The keys that a state folder has on the disk as judged (a detector's) or as read (a reader's). */
export async function recordedKeys(stateDir: string): Promise<Set<string>> {
  const lines = await linesUnder(stateDir)
  return new Set(
    lines
      .filter((line) => 'verdict' in line || 'car' in line || 'outcome' in line)
      .map(({ key }) => key ?? ''),
  )
}

/** Whether a detector's state folder says that a run is done. */
export async function isDone(stateDir: string): Promise<boolean> {
  return (await linesUnder(stateDir)).some((line) => 'done' in line)
}

type Line = { key?: string }

/** The whole lines of all journals and ledgers: a torn last one counts for nothing. */
async function linesUnder(stateDir: string): Promise<Line[]> {
  const names = await readdir(stateDir, { recursive: true }).catch(() => [])
  const files = names.filter((name) => name.endsWith('.ndjson'))
  const texts = await Promise.all(files.map((name) => readFile(join(stateDir, name), 'utf8')))
  return texts.flatMap((text) => text.split('\n').slice(0, -1)).map((line) => JSON.parse(line))
}
