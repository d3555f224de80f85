import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Batches } from './batches.ts'
import { ImgpipeError } from './exit-codes.ts'
import { wholeLines } from './lines.ts'
import { pause } from './stop-signal.ts'

/** What an append log tells about its disk, and when it must stop waiting for room. */
export interface DiskWatch {
  /** the disk is full; called again with every try */
  full(path: string): void
  /** there is room again */
  roomAgain(path: string): void
  readonly giveUp: AbortSignal
}

const newline = 0x0a
const retryMilliseconds = 1000
const tailBytes = 64 * 1024
const fullCodes = new Set(['ENOSPC', 'EDQUOT'])

/**
 * A file of JSON lines that only grows. A record counts when `append` has returned: it is then on the disk
 * (fdatasync). Records that come while a write is under way are written and synced together with the next.
 * A last line without its newline was never acknowledged to anybody; opening cuts it off.
 */
export class AppendLog<Line extends object> {
  readonly #path: string
  readonly #file: FileHandle
  readonly #watch: DiskWatch
  readonly #lines: Batches<string>
  #size: number
  #newest = Promise.resolve()
  #withNext = ''

  static async open<Line extends object>(path: string, watch: DiskWatch): Promise<AppendLog<Line>> {
    try {
      await makeDurableFolder(dirname(path))
      const file = await open(path, 'a+', 0o644)
      const { size } = await file.stat()
      const whole = await lengthOfWholeLines(file, size)
      if (whole < size) await file.truncate(whole)
      if (size === 0) await syncFolder(dirname(path))
      return new AppendLog(path, file, whole, watch)
    } catch (error) {
      throw diskError(path, error)
    }
  }

  private constructor(path: string, file: FileHandle, size: number, watch: DiskWatch) {
    this.#path = path
    this.#file = file
    this.#size = size
    this.#watch = watch
    this.#lines = new Batches({ maxInFlight: 1, send: (lines) => this.#write(lines) })
  }

  /**
   * @returns when the record is on the disk; while the disk is full it waits for room
   * @throws {ImgpipeError} `disk` when it cannot be written, or there was no room until `giveUp`
   */
  append(record: Line): Promise<void> {
    this.#newest = this.#lines.add(`${this.#withNext}${JSON.stringify(record)}\n`)
    this.#withNext = ''
    return this.#newest
  }

  /** A record that may be lost, and is only to come before the next: it is written together with that. */
  appendWithNext(record: Line): void {
    this.#withNext += `${JSON.stringify(record)}\n`
  }

  /** Closes the file once the records under way are written. */
  async close(): Promise<void> {
    await this.#newest.catch(() => undefined)
    await this.#file.close()
  }

  async #write(lines: string[]): Promise<undefined> {
    const bytes = Buffer.from(lines.join(''))
    await whenThereIsRoom(this.#path, this.#watch, () => this.#writeOnce(bytes))
  }

  /** What a full disk left of an earlier try is cut off first, so that no torn line ends up in the middle. */
  async #writeOnce(bytes: Buffer): Promise<void> {
    try {
      await this.#file.appendFile(bytes)
      await this.#file.datasync()
      this.#size += bytes.length
    } catch (error) {
      await this.#file.truncate(this.#size).catch(() => undefined)
      throw isFull(error) ? error : diskError(this.#path, error)
    }
  }
}

/** Writes again and again while the disk is full. @throws what is thrown for another reason; {ImgpipeError} `disk` when it is to give up */
export async function whenThereIsRoom<T>(
  path: string,
  watch: DiskWatch,
  write: () => Promise<T>,
): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      const written = await write()
      if (!isFirst) watch.roomAgain(path)
      return written
    } catch (error) {
      if (!isFull(error)) throw error
      if (watch.giveUp.aborted) throw diskError(path, error)
      watch.full(path)
      await pause(retryMilliseconds, watch.giveUp)
    }
  }
}

/**
 * The records of an append log from its first line on. A line that is not a JSON object is told to `onGarbage`
 * and passed over; a torn last line is passed over in silence. A file that is not there has no lines.
 */
export async function* readLog<Line extends object>(
  path: string,
  onGarbage: (lineNumber: number) => void,
): AsyncGenerator<Line> {
  let lineNumber = 0
  try {
    for await (const text of wholeLines(path)) {
      lineNumber++
      const record = parsed(text)
      if (typeof record === 'object' && record !== null && !Array.isArray(record)) yield record as Line
      else onGarbage(lineNumber)
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw diskError(path, error)
  }
}

/** The records at the end of an append log, without reading the whole: those within its last `mostBytes`. */
export async function readTail<Line extends object>(path: string, mostBytes = tailBytes): Promise<Line[]> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const start = Math.max(0, size - mostBytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(mostBytes), 0, mostBytes, start)
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
    // The first may be cut at its start and the last at its end: neither parses then.
    return lines.map(parsed).filter((record): record is Line => typeof record === 'object' && record !== null)
  } finally {
    await file.close()
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function lengthOfWholeLines(file: FileHandle, size: number): Promise<number> {
  const buffer = Buffer.alloc(tailBytes)
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - buffer.length)
    const { bytesRead } = await file.read(buffer, 0, end - start, start)
    const last = buffer.subarray(0, bytesRead).lastIndexOf(newline)
    if (last >= 0) return start + last + 1
    end = start
  }
  return 0
}

/** Makes a folder and the folders above it, and has each on the disk before anything is put into it. */
export async function makeDurableFolder(path: string): Promise<void> {
  const firstMade = await mkdir(path, { recursive: true })
  if (firstMade === undefined) return
  for (let folder = path; folder.length >= firstMade.length; folder = dirname(folder))
    await syncFolder(dirname(folder))
}

/** Until its folder is synced, a new or renamed file may be gone after a power loss. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

export function isFull(error: unknown): boolean {
  return fullCodes.has(codeOf(error) ?? '')
}

/** @returns the error as the end of the program that it is: one sentence with the path and the remedy */
export function diskError(path: string, error: unknown): ImgpipeError {
  if (error instanceof ImgpipeError) return error
  const remedy = isFull(error) ? 'make room on that disk' : 'check the disk and the rights on that folder'
  const why = error instanceof Error ? error.message : String(error)
  return new ImgpipeError(
    'disk',
    `Cannot write ${path} (${why}): ${remedy}, then start again; nothing is lost.`,
    { cause: error },
  )
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
