import { ImgpipeError } from './exit-codes.ts'

const fullCodes = new Set(['ENOSPC', 'EDQUOT'])
const exhaustedCodes = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

/**
 * Why a file cannot be written for now: the disk is full, another program has locked the database, or there are too many open
 * files or too little memory.
 */
export type WriteObstacle = 'full' | 'locked' | 'exhausted'

/** Decides what an obstacle means: `retry` after a pause, or `stop` when the process shuts down. */
export type WaitForSpace = (path: string, obstacle: WriteObstacle) => Promise<'retry' | 'stop'>

export function isDiskFull(error: unknown): boolean {
  return hasCode(error, fullCodes)
}

function hasCode(error: unknown, codes: ReadonlySet<string>): boolean {
  return error instanceof Error && 'code' in error && codes.has(String(error.code))
}

/**
 * Repeats a write while the disk is full, or this machine has no files or memory left. `write` must start from the beginning each time.
 *
 * @throws {ImgpipeError} `disk`, for any other error of the file system and when the process stops
 */
export async function retryOnFullDisk<T>(
  path: string,
  waitForSpace: WaitForSpace,
  write: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof Error && 'syscall' in error)) throw error
      const obstacle = isDiskFull(error) ? 'full' : hasCode(error, exhaustedCodes) ? 'exhausted' : undefined
      if (!obstacle || (await waitForSpace(path, obstacle)) === 'stop') throw diskError(path, error)
    }
  }
}

/** @returns the error as the sentence that ends the program, with path and remedy */
export function diskError(path: string, error: unknown): ImgpipeError {
  if (error instanceof ImgpipeError) return error
  const remedy = isDiskFull(error)
    ? 'free some space on that disk'
    : 'check the disk and the permissions of that directory'
  const why = error instanceof Error ? error.message : String(error)
  return new ImgpipeError(
    'disk',
    `Cannot write ${path} (${why}): ${remedy}, then start again; no progress was lost.`,
    {
      cause: error,
    },
  )
}
