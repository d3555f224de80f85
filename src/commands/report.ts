import type { S3Client } from '@aws-sdk/client-s3'
import type { Command } from 'commander'
import { createClients } from '../aws/clients.ts'
import type { Settings } from '../config/schema.ts'
import { loadSettings } from '../config/settings.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { imageFetcher } from '../report/fetch-image.ts'
import { defaultMaxImages, type WrittenReport, writeReport } from '../report/write-report.ts'
import { examples } from './examples.ts'

export interface ReportOptions {
  /** default: the run that results.txt shows */
  run?: string
  /** default: report-RUN in the current directory */
  out?: string
  maxImages?: number
}

interface ReportDependencies {
  settings: Pick<Settings, 'stateDir' | 'bucket' | 'label'>
  s3: S3Client
  print: (line: string) => void
}

/** Adds `imgpipe report` to the program. */
export function addReport(program: Command): void {
  program
    .command('report')
    .description('write a web page of a run: every image with its boxes and text, statistics and charts')
    .option('--run <id>', 'run to report on (default: the one that results.txt shows)')
    .option('--out <directory>', 'directory for index.html and the images (default: report-RUN)')
    .option(
      '--max-images <number>',
      `maximum number of images shown (default: ${defaultMaxImages})`,
      parseMaxImages,
    )
    .option('--config <file>', 'settings file, for the state directory')
    .addHelpText(
      'after',
      examples(
        ['imgpipe report', 'the run that results.txt shows'],
        ['imgpipe report --run 20261122T174500Z-3f9a --out /tmp/report', 'a specific run'],
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
function parseMaxImages(text: string): number {
  const max = Number(text)
  if (/^\d+$/.test(text) && max > 0) return max
  throw new ImgpipeError('usage', `--max-images must be a whole number from 1 up, but is "${text}".`)
}

/**
 * Writes the report of one run and prints where it is.
 *
 * @throws {ImgpipeError} when there is no such run, or the directory cannot be written
 */
export async function runReport(
  options: ReportOptions,
  { settings, s3, print }: ReportDependencies,
): Promise<WrittenReport> {
  const { stateDir, bucket, label } = settings
  const { run, out, maxImages } = options
  const request = { stateDir, bucket, label, run, out, maxImages, fetchImage: imageFetcher(s3) }
  const report = await writeReport(request)
  const { images, missing, firstMissing } = report
  const progress = report.isFinished ? '' : ' so far'
  print(`Report of run ${report.run}${progress}: ${images} images, ${report.index}`)
  if (missing > 0) print(`${missing} of them could not be shown; the first: ${firstMissing}`)
  return report
}
