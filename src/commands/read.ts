import type { Command } from 'commander'
import { ShutdownError } from '../host/shutdown.ts'
import { read } from '../reader/read.ts'
import { examples } from './examples.ts'
import { runWorker } from './worker-context.ts'

/** Adds `imgpipe read` to the program. */
export function addRead(program: Command): void {
  program
    .command('read')
    .description('worker B: read the text of the images in the queue, until stopped')
    .option('--once', 'exit when a run is complete')
    .addHelpText(
      'after',
      examples(
        ['imgpipe read', 'until Ctrl-C or SIGTERM'],
        ['imgpipe read --once', 'until the next run is complete'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { once = false, config } = command.optsWithGlobals<{ once?: boolean; config?: string }>()
      await runWorker('reader', config, (context) => read(context, { once })).catch(stopped)
    })
}

/** A resident worker that is asked to stop has done nothing wrong. */
function stopped(error: unknown): void {
  if (!(error instanceof ShutdownError)) throw error
}
