import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDurableDirectorySync } from '../host/directories.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { isLocked } from '../state/lock.ts'

/** The files of a demo; all paths are absolute. */
export interface DemoPaths {
  readonly settingsFile: string
  /** shared by both workers: each has its own database */
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
 * Prepares the directory for a new run: deletes the state of an earlier demo, and nothing else.
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
      `Another demo is running in ${out}: wait until it ends, or specify another directory with --out.`,
    )
  }
  if (statSync(stateDir, { throwIfNoEntry: false }) && !isDemoDirectory(settingsFile, stateDir)) {
    throw new ImgpipeError(
      'usage',
      `${stateDir} was not created by a demo and is left unchanged: specify another directory with --out.`,
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
      `The demo cannot write to ${out} (${why}): specify another directory with --out.`,
    )
  }
  return paths
}

/** Whether the settings file next to the state directory refers to it, as in a demo's directory. */
function isDemoDirectory(settingsFile: string, stateDir: string): boolean {
  try {
    return JSON.parse(readFileSync(settingsFile, 'utf8')).stateDir === stateDir
  } catch {
    return false
  }
}
