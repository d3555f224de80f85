import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ImgpipeError } from '../host/exit-codes.ts'
import { generatorMark, reportDocument } from './document.ts'
import { findRun } from './find-run.ts'
import { imagesDirectory } from './gallery.ts'
import { type FetchImage, type SavedImage, saveImages } from './image-files.ts'
import { readRun } from './read-run.ts'

/** A browser shows so many images without effort. */
export const defaultMaxImages = 2000

export interface ReportRequest {
  readonly stateDir: string
  /** bucket and label of an unfinished run, whose outcomes do not name them */
  readonly bucket: string
  readonly label: string
  /** default: the run that was completed last */
  readonly run?: string | undefined
  /** default: report-RUN in the current directory */
  readonly out?: string | undefined
  readonly maxImages?: number | undefined
  readonly fetchImage: FetchImage
}

export interface WrittenReport {
  readonly run: string
  readonly isFinished: boolean
  /** absolute path of index.html */
  readonly index: string
  readonly images: number
  /** images that are shown as a placeholder, and why the first one is missing */
  readonly missing: number
  readonly firstMissing: string | undefined
}

/**
 * Writes one run's report: index.html and the images beside it.
 *
 * @throws {ImgpipeError} when there is no such run, when the directory contains something else or cannot be written
 */
export async function writeReport(request: ReportRequest): Promise<WrittenReport> {
  const source = await findRun(request.stateDir, request.run)
  const data = await readRun(request.stateDir, source, request.maxImages ?? defaultMaxImages)
  const directory = resolve(request.out ?? `report-${source.run}`)
  const bucket = data.facts.bucket ?? request.bucket
  const label = data.facts.label ?? request.label
  const { saved, index } = await writing(directory, async () => {
    const images = await emptyReportDirectory(directory)
    const saved = await saveImages(data.images, bucket, images, request.fetchImage)
    return { saved, index: await writeIndex(directory, await reportDocument({ data, bucket, label, saved })) }
  })
  return { run: data.run, isFinished: data.isFinished, index, images: saved.size, ...missingOf(saved) }
}

/** @throws {ImgpipeError} when `write` fails for a reason of the file system */
async function writing<T>(directory: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (error instanceof ImgpipeError || !(error instanceof Error && 'syscall' in error)) throw error
    throw new ImgpipeError(
      'disk',
      `The report cannot be written to ${directory} (${error.message}): free some space or name a writable directory with --out.`,
      { cause: error },
    )
  }
}

/** Creates the directory, or removes an earlier report's images from it; refuses one that contains anything else. */
async function emptyReportDirectory(directory: string): Promise<string> {
  const images = join(directory, imagesDirectory)
  await mkdir(directory, { recursive: true })
  if (!(await mayHoldReport(directory))) {
    throw new ImgpipeError(
      'usage',
      `The directory ${directory} is not empty and does not contain an imgpipe report: name a new or empty one with --out.`,
    )
  }
  await mkdir(images, { recursive: true })
  const earlier = (await readdir(images)).filter((name) => /^\d+\.(jpg|png)$/.test(name))
  await Promise.all(earlier.map((name) => rm(join(images, name))))
  return images
}

/** Empty, a report, or what one left behind that was interrupted before its page was written. */
async function mayHoldReport(directory: string): Promise<boolean> {
  const names = await readdir(directory)
  if (names.every((name) => name === imagesDirectory || name === temporaryIndex)) return true
  const page = await readFile(join(directory, 'index.html'), 'utf8').catch(() => '')
  return page.includes(generatorMark)
}

const temporaryIndex = '.index.html.part'

/** The page appears completely or not at all, and never before its images. */
async function writeIndex(directory: string, page: string): Promise<string> {
  const index = join(directory, 'index.html')
  const temporary = join(directory, temporaryIndex)
  await writeFile(temporary, page)
  await rename(temporary, index)
  return index
}

function missingOf(saved: ReadonlyMap<number, SavedImage>) {
  const reasons = [...saved.values()].flatMap((image) => ('missing' in image ? [image.missing] : []))
  return { missing: reasons.length, firstMissing: reasons[0] }
}
