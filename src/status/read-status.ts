import { join } from 'node:path'
import { callDollars, requestDollars } from '../aws/prices.ts'
import type { FailedImage } from '../protocol/messages.ts'
import { runDirectory } from '../results/publish.ts'
import { readOutcomes, readResultsHead } from '../results/read.ts'
import type { DetectorStatus } from '../state/detector-status.ts'
import type { ReaderStatus } from '../state/reader-status.ts'
import { type HostStatus, type RunStatus, readHostStatus, type StatusQuery } from '../state/run-status.ts'
import type { WorkerStatus } from '../state/worker-status.ts'

/** A run for people and programs: what the databases, the published results and the list prices say about it. */
export interface RunOverview {
  readonly run: string
  readonly detector: DetectorStatus | undefined
  readonly reader: ReaderOverview | undefined
  readonly dollars: {
    /** Rekognition calls that the run paid for, and those that answers of earlier runs have saved */
    readonly calls: number
    readonly saved: number
    /** requests to SQS and S3 */
    readonly requests: number
  }
}

export interface ReaderOverview extends ReaderStatus {
  /** of a complete run, as its results say */
  readonly bucket: string | undefined
  readonly label: string | undefined
  /** path of results.txt, of a complete run whose results are kept */
  readonly results: string | undefined
}

export interface HostOverview {
  readonly detector: WorkerStatus | undefined
  readonly reader: WorkerStatus | undefined
  readonly runs: readonly RunOverview[]
}

/** Reading goes no further in search of failures: a large file is not read through for a few examples. */
const maxSearchedLength = 16 * 1024 * 1024

/** There may be thousands of runs, and few file descriptors. */
const maxFilesOpen = 32

/** @throws {ImgpipeError} as `readHostStatus` */
export async function readStatus(stateDir: string, query: StatusQuery): Promise<HostOverview> {
  const { detector, reader, runs }: HostStatus = await readHostStatus(stateDir, query)
  const overviews: RunOverview[] = []
  for (let first = 0; first < runs.length; first += maxFilesOpen) {
    const some = runs.slice(first, first + maxFilesOpen)
    overviews.push(...(await Promise.all(some.map((run) => overviewOf(stateDir, run, query)))))
  }
  return { detector, reader, runs: overviews }
}

/**
 * The workers, and of the runs only the newest one that each of them knows: not the same where one of them was not running.
 *
 * @throws {ImgpipeError} as `readHostStatus`
 */
export async function readNewestRuns(
  stateDir: string,
  query: Pick<StatusQuery, 'keepRuns' | 'maxFailures'>,
): Promise<HostOverview> {
  const { detector, reader } = await readHostStatus(stateDir, { ...query, maxRuns: 0 })
  const runs = new Set([detector?.newestRun, reader?.newestRun].filter((run) => run !== undefined))
  const overviews = [...runs].map(async (run) => (await readStatus(stateDir, { ...query, run })).runs)
  return { detector, reader, runs: (await Promise.all(overviews)).flat() }
}

async function overviewOf(
  stateDir: string,
  { run, detector, reader }: RunStatus,
  query: StatusQuery,
): Promise<RunOverview> {
  const asked = (detector?.asked ?? 0) + (reader?.asked ?? 0)
  const reused = (detector?.reused ?? 0) + (reader?.reused ?? 0)
  const requests = requestDollars(detector?.requests ?? {}) + requestDollars(reader?.requests ?? {})
  return {
    run,
    detector,
    reader: reader && (await readerOverview(stateDir, run, reader, query)),
    dollars: { calls: callDollars(asked), saved: callDollars(reused), requests },
  }
}

/**
 * The published results of a run count all of its images, the database those that this reader has read; results that
 * were deleted or cannot be read leave the database's word.
 */
async function readerOverview(
  stateDir: string,
  run: string,
  reader: ReaderStatus,
  { maxFailures }: StatusQuery,
): Promise<ReaderOverview> {
  const directory = runDirectory(stateDir, run)
  const json = join(directory, 'results.json')
  const head = reader.state === 'complete' ? await readResultsHead(json).catch(() => undefined) : undefined
  if (!head) return { ...reader, bucket: undefined, label: undefined, results: undefined }
  const { bucket, label, count, images, detectorFailed, texts, failures: failed } = head
  return {
    ...reader,
    recorded: count,
    count,
    images,
    detectorFailed,
    texts,
    failed,
    failures: await firstFailures(json, Math.min(failed, maxFailures)).catch(() => []),
    bucket,
    label,
    results: join(directory, 'results.txt'),
  }
}

async function firstFailures(path: string, max: number): Promise<FailedImage[]> {
  const failures: FailedImage[] = []
  if (max === 0) return failures
  for await (const outcome of readOutcomes(path, { maxLength: maxSearchedLength })) {
    if (outcome.outcome !== 'failed') continue
    failures.push({ key: outcome.key, reason: outcome.reason })
    if (failures.length >= max) break
  }
  return failures
}
