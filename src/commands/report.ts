import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import type { Command } from 'commander'
import { createClients } from '../aws/clients.ts'
import { Fault } from '../aws/errors.ts'
import type { Settings } from '../config/schema.ts'
import { loadSettings } from '../config/settings.ts'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import type { FetchPicture } from '../report/picture-files.ts'
import { defaultMaxPictures, type WrittenReport, writeReport } from '../report/write-report.ts'
import { examples } from './examples.ts'

export interface ReportOptions {
  /** Default: the run that finished last. */
  run?: string
  /** Default: report-RUN in the current folder. */
  out?: string
  maxPictures?: number
}

interface ReportSurroundings {
  settings: Pick<Settings, 'stateDir' | 'bucket' | 'label'>
  s3: S3Client
  print: (line: string) => void
}

/** Adds `imgpipe report` to the program. */
export function addReport(program: Command): void {
  program
    .command('report')
    .description(
      'write a web page of a run: each picture with its boxes, the text beside it, figures and plots',
    )
    .option('--run <id>', 'the run to tell of (default: the one that finished last)')
    .option('--out <folder>', 'folder for index.html and the pictures (default: report-RUN)')
    .option(
      '--max-pictures <number>',
      `pictures to show at most (default: ${defaultMaxPictures})`,
      readMaxPictures,
    )
    .option('--config <file>', 'settings, for the folder of the runs')
    .addHelpText(
      'after',
      examples(
        ['imgpipe report', 'the run that finished last'],
        ['imgpipe report --run 20261122T174500Z-3f9a --out /tmp/report', 'a certain one'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ReportOptions & { config?: string }>()
      const settings = loadSettings({ configFile: options.config })
      const clients = createClients(settings)
      try {
        await runReport(options, { settings, s3: clients.s3, print: console.log })
      } finally {
        clients.close()
      }
    })
}

/** @throws {ImgpipeError} `usage` */
function readMaxPictures(text: string): number {
  const most = Number(text)
  if (/^\d+$/.test(text) && most > 0) return most
  throw new ImgpipeError('usage', `--max-pictures must be a whole number from 1 up, and is "${text}".`)
}

/**
 * Writes the report of one run and says where it is.
 *
 * @throws {ImgpipeError} when there is no such run, or the folder cannot be written to
 */
export async function runReport(
  options: ReportOptions,
  { settings, s3, print }: ReportSurroundings,
): Promise<WrittenReport> {
  const { stateDir, bucket, label } = settings
  const { run, out, maxPictures } = options
  const request = { stateDir, bucket, label, run, out, maxPictures, fetchPicture: pictureFetcher(s3) }
  const report = await writeReport(request)
  const { pictures, missing, firstMissing } = report
  print(
    `Report of run ${report.run}${report.finished ? '' : ' so far'}: ${pictures} pictures, ${report.index}`,
  )
  if (missing > 0) print(`${missing} of them could not be shown; the first: ${firstMissing}`)
  return report
}

/** Rekognition takes no larger object (its limits page), so the run read none either. */
const mostBytes = 15 * 1024 * 1024
const downloadMilliseconds = 60_000

function pictureFetcher(s3: S3Client): FetchPicture {
  return async (bucket, key, etag) => {
    const abortSignal = AbortSignal.timeout(downloadMilliseconds)
    const answer = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }), { abortSignal })
    const refusal = refusalOf(answer, etag)
    if (refusal === undefined) return (await answer.Body?.transformToByteArray()) ?? new Uint8Array()
    await answer.Body?.transformToWebStream().cancel()
    throw refusal
  }
}

function refusalOf(
  answer: { ETag?: string | undefined; ContentLength?: number | undefined },
  etag: string | undefined,
): Fault | undefined {
  if (etag !== undefined && answer.ETag !== undefined && answer.ETag !== etag) {
    return new Fault('gone', 'Replaced', 'another picture has its name now')
  }
  const size = answer.ContentLength ?? 0
  if (size <= mostBytes) return undefined
  return new Fault('picture', 'TooLarge', `it has ${size} bytes, and ${mostBytes} are the most that is shown`)
}
