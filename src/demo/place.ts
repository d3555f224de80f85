import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { makeFolders } from '../daemon/folders.ts'
import { isAtWork } from '../daemon/instance-lock.ts'

/** Where a demo keeps what it makes; all paths are absolute. */
export interface DemoPlace {
  readonly settingsFile: string
  readonly stateDir: string
  readonly report: string
  readonly logs: { readonly detector: string; readonly reader: string }
}

export interface DemoNames {
  readonly bucket: string
  readonly queue: string
  readonly region: string
}

/**
 * Makes the folder ready for a first run: what an earlier demo left there is taken away, and nothing else.
 *
 * @throws {ImgpipeError} `usage` when another demo is at work there or the folder holds something that is not
 * a demo's, `disk` when it cannot be written to
 */
export async function prepareFolder(out: string, names: DemoNames): Promise<DemoPlace> {
  const place = {
    settingsFile: join(out, 'imgpipe.json'),
    stateDir: join(out, 'state'),
    report: join(out, 'report'),
    logs: { detector: join(out, 'detector.log'), reader: join(out, 'reader.log') },
  }
  const { settingsFile, stateDir } = place
  if (await isAtWork(stateDir, 'reader'))
    throw new ImgpipeError('usage', `Another demo is at work in ${out}: wait for it, or name another --out.`)
  if (statSync(stateDir, { throwIfNoEntry: false }) && !isDemos(settingsFile, stateDir))
    throw new ImgpipeError(
      'usage',
      `${stateDir} was not made by a demo and is left alone: name another --out.`,
    )
  try {
    rmSync(stateDir, { recursive: true, force: true })
    makeFolders(out)
    writeFileSync(settingsFile, `${JSON.stringify({ ...names, stateDir }, undefined, 2)}\n`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ImgpipeError('disk', `The demo cannot write to ${out} (${why}): name another --out.`)
  }
  return place
}

/** Its settings beside it name it. */
function isDemos(settingsFile: string, stateDir: string): boolean {
  try {
    return JSON.parse(readFileSync(settingsFile, 'utf8')).stateDir === stateDir
  } catch {
    return false
  }
}
