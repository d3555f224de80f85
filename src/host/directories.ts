import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

/**
 * Makes a directory and those above it so that they survive a power loss: a new name is durable only when the
 * directory that holds it has been synced.
 *
 * @throws {Error} the file system's
 */
export async function makeDurableDirectory(path: string): Promise<void> {
  for (const created of makeDirectories(resolve(path))) await syncDirectory(dirname(created))
}

/** The same where nothing else runs yet, as at the start of a worker. */
export function makeDurableDirectorySync(path: string): void {
  for (const created of makeDirectories(resolve(path))) syncDirectorySync(dirname(created))
}

/** Makes names that were created, renamed or deleted in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined
  try {
    directory = await open(path)
    await directory.sync()
  } catch (error) {
    if (!cannotBeSynced(error)) throw error
  } finally {
    await directory?.close()
  }
}

function syncDirectorySync(path: string): void {
  let directory: number | undefined
  try {
    directory = openSync(path, 'r')
    fsyncSync(directory)
  } catch (error) {
    if (!cannotBeSynced(error)) throw error
  } finally {
    if (directory !== undefined) closeSync(directory)
  }
}

/**
 * `mkdir` of Node 24 with `recursive` never ends where the kernel refuses with ENOENT to make a directory in one that
 * exists, as under /proc.
 *
 * @returns the directories that were created, outermost first
 */
function makeDirectories(path: string): string[] {
  if (isDirectory(path)) return []
  const above = dirname(path) === path ? [] : makeDirectories(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process may have been quicker.
    if (!isDirectory(path)) throw error
  }
  return [...above, path]
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/** A directory that may be written but not read cannot be opened to sync it, and some file systems sync no directories. */
function cannotBeSynced(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && ['EACCES', 'EINVAL', 'ENOTSUP'].includes(String(error.code))
  )
}
