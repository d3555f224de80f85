import type { Command } from 'commander'
import { createClients } from '../aws/clients.ts'
import { S3Images } from '../aws/s3.ts'
import { loadSettings } from '../config/settings.ts'
import { previewLines, previewRecord, previewRun, type RunPreview } from '../detector/preview.ts'
import { OutageLog } from '../flow/outage-log.ts'
import type { RetryPolicy } from '../flow/retry.ts'
import { readEnvironment } from '../host/environment.ts'
import { Interrupted } from '../host/exit-codes.ts'
import { ShutdownError, shutdownOnSignals } from '../host/shutdown.ts'
import { statusJson } from '../status/status-json.ts'
import { examples } from './examples.ts'
import { stderrLog } from './worker-context.ts'

/** A person waits for the answer. */
const policy: RetryPolicy = { unavailableMs: 30_000, deniedMs: 0, missingMs: 0, credentialsMs: 0 }

/** Adds `imgpipe plan` to the program. */
export function addPlan(program: Command): void {
  program
    .command('plan')
    .description('show what a run would do, cost and take; calls no Rekognition and changes nothing')
    .option('--json', 'output JSON')
    .addHelpText(
      'after',
      examples(
        ['imgpipe plan', 'of the next "imgpipe detect"'],
        ['IMGPIPE_PREFIX=2026/ imgpipe plan --json | jq .dollars', 'for a program'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { json = false, config } = command.optsWithGlobals<{ json?: boolean; config?: string }>()
      const preview = await previewOf(config)
      const text = json ? statusJson(previewRecord(preview), 2) : previewLines(preview).join('\n')
      process.stdout.write(`${text}\n`)
    })
}

/** @throws {ImgpipeError} {Interrupted} */
async function previewOf(configFile: string | undefined): Promise<RunPreview> {
  const settings = loadSettings({ configFile })
  const outages = new OutageLog(stderrLog(settings.logLevel, readEnvironment().logsToJournal))
  const shutdown = shutdownOnSignals()
  const clients = createClients(settings)
  try {
    const images = new S3Images(clients.s3, shutdown)
    return await previewRun(settings, images, { policy, outages, signal: shutdown.graceful })
  } catch (error) {
    throw error instanceof ShutdownError ? new Interrupted('Interrupted.') : error
  } finally {
    clients.close()
  }
}
