import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { generatorMark, reportDocument } from './document.ts'
import { findRun } from './find-run.ts'
import { picturesFolder } from './gallery.ts'
import { type FetchPicture, type SavedPicture, savePictures } from './picture-files.ts'
import { readRun } from './read-run.ts'

/** So many pictures a browser still shows without effort. */
export const defaultMaxPictures = 2000

export interface ReportRequest {
  readonly stateDir: string
  /** The bucket and label of a run that does not tell its own, as an unfinished one. */
  readonly bucket: string
  readonly label: string
  /** Default: the run that finished last. */
  readonly run?: string | undefined
  /** Default: report-RUN in the current folder. */
  readonly out?: string | undefined
  readonly maxPictures?: number | undefined
  readonly fetchPicture: FetchPicture
}

export interface WrittenReport {
  readonly run: string
  readonly finished: boolean
  /** Absolute path of index.html */
  readonly index: string
  readonly pictures: number
  /** Pictures that the page has a placeholder for, and why the first one is missing. */
  readonly missing: number
  readonly firstMissing: string | undefined
}

/**
 * Writes one run's report: index.html and the pictures beside it.
 *
 * @throws {ImgpipeError} when there is no such run, when the folder holds other things or cannot be written to
 */
export async function writeReport(request: ReportRequest): Promise<WrittenReport> {
  const source = await findRun(request.stateDir, request.run)
  const story = await readRun(source, request.maxPictures ?? defaultMaxPictures)
  const folder = resolve(request.out ?? `report-${source.run}`)
  const bucket = story.facts.bucket ?? request.bucket
  const label = story.facts.label ?? request.label
  const { saved, index } = await writing(folder, async () => {
    const pictures = await emptyReportFolder(folder)
    const saved = await savePictures(story.pictures, bucket, pictures, request.fetchPicture)
    return { saved, index: await writeIndex(folder, await reportDocument({ story, bucket, label, saved })) }
  })
  return { run: story.run, finished: story.finished, index, pictures: saved.size, ...missingOf(saved) }
}

/** @throws {ImgpipeError} in words what kept `write` from the disk */
async function writing<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (error instanceof ImgpipeError || !(error instanceof Error && 'syscall' in error)) throw error
    throw new ImgpipeError(
      'disk',
      `The report cannot be written to ${folder} (${error.message}): name a folder with room that you may write to with --out.`,
      { cause: error },
    )
  }
}

/** Makes the folder, or takes an earlier report's pictures out of it; refuses one that holds anything else. */
async function emptyReportFolder(folder: string): Promise<string> {
  const pictures = join(folder, picturesFolder)
  await mkdir(folder, { recursive: true })
  if (!(await mayHoldReport(folder))) {
    throw new ImgpipeError(
      'usage',
      `The folder ${folder} holds other things than a report, which would be lost among them: name a new or empty one with --out.`,
    )
  }
  await mkdir(pictures, { recursive: true })
  const earlier = (await readdir(pictures)).filter((name) => /^\d+\.(jpg|png)$/.test(name))
  await Promise.all(earlier.map((name) => rm(join(pictures, name))))
  return pictures
}

/** Empty, or a report, or what one left behind that was stopped before its page was written. */
async function mayHoldReport(folder: string): Promise<boolean> {
  const names = await readdir(folder)
  if (names.every((name) => name === picturesFolder || name === temporaryIndex)) return true
  const page = await readFile(join(folder, 'index.html'), 'utf8').catch(() => '')
  return page.includes(generatorMark)
}

const temporaryIndex = '.index.html.part'

/** The page appears whole or not at all, and never before its pictures. */
async function writeIndex(folder: string, page: string): Promise<string> {
  const index = join(folder, 'index.html')
  const temporary = join(folder, temporaryIndex)
  await writeFile(temporary, page)
  await rename(temporary, index)
  return index
}

function missingOf(saved: ReadonlyMap<number, SavedPicture>) {
  const reasons = [...saved.values()].flatMap((picture) => ('missing' in picture ? [picture.missing] : []))
  return { missing: reasons.length, firstMissing: reasons[0] }
}
