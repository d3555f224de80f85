import type { Command } from 'commander'
import { detect } from '../detector/detect.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { ShutdownError } from '../host/shutdown.ts'
import { examples } from './examples.ts'
import { runWorker } from './worker-context.ts'

interface DetectCommandOptions {
  fresh?: boolean
  all?: boolean
  config?: string
}

/** Adds `imgpipe detect` to the program. */
export function addDetect(program: Command): void {
  program
    .command('detect')
    .description('worker A: find the cars in the bucket and queue them; resumes an interrupted run')
    .option('--fresh', 'analyse every image again, ignoring the answers of earlier runs')
    .option('--all', 'run even if no image is new, so that the reader retries what has failed')
    .addHelpText(
      'after',
      examples(
        ['imgpipe detect', 'one run with the settings of /etc/imgpipe/imgpipe.json'],
        ['imgpipe detect --all', 'queue the cars again although nothing is new'],
        ['IMGPIPE_BUCKET=my-images imgpipe detect', 'one run over another bucket'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { fresh = false, all = false, config } = command.optsWithGlobals<DetectCommandOptions>()
      await runWorker('detector', config, (context) => detect(context, { fresh, all })).catch(interrupted)
    })
}

/** An interrupted detector says so by its exit code, also one that had not yet begun. */
function interrupted(error: unknown): never {
  if (!(error instanceof ShutdownError)) throw error
  throw new ImgpipeError('interrupted', 'Interrupted before the run started; start again.')
}
