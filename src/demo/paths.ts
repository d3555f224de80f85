import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDurableDirectorySync } from '../host/directories.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { isLocked } from '../state/lock.ts'

/** Where a demo keeps its files; all paths are absolute. */
export interface DemoPaths {
  readonly settingsFile: string
  /** of both workers: each has a database of its own */
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
 * Prepares the directory for a first run: the state of an earlier demo is deleted, and nothing else.
 *
 * @throws {ImgpipeError} `usage` when another demo is running there or its state directory was not created by a demo,
 *   `disk` when it cannot be written
 */
export function prepareDirectory(out: string, names: DemoNames): DemoPaths {
  const paths = {
    settingsFile: join(out, 'imgpipe.json'),
    stateDir: join(out, 'state'),
    report: join(out, 'report'),
    logs: { detector: join(out, 'detector.log'), reader: join(out, 'reader.log') },
  }
  const { settingsFile, stateDir } = paths
  if (isLocked(stateDir, 'reader') || isLocked(stateDir, 'detector')) {
    throw new ImgpipeError(
      'usage',
      `Another demo is running in ${out}: wait for it, or name another directory with --out.`,
    )
  }
  if (statSync(stateDir, { throwIfNoEntry: false }) && !isDemoDirectory(settingsFile, stateDir)) {
    throw new ImgpipeError(
      'usage',
      `${stateDir} was not created by a demo and is left alone: name another directory with --out.`,
    )
  }
  try {
    rmSync(stateDir, { recursive: true, force: true })
    makeDurableDirectorySync(out)
    writeFileSync(settingsFile, `${JSON.stringify({ ...names, stateDir }, undefined, 2)}\n`)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ImgpipeError(
      'disk',
      `The demo cannot write to ${out} (${why}): name another directory with --out.`,
    )
  }
  return paths
}

/** The settings beside a demo's state directory name it. */
function isDemoDirectory(settingsFile: string, stateDir: string): boolean {
  try {
    return JSON.parse(readFileSync(settingsFile, 'utf8')).stateDir === stateDir
  } catch {
    return false
  }
}
