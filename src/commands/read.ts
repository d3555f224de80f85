import type { Command } from 'commander'
import { read } from '../reader/start.ts'
import { examples } from './examples.ts'
import { workerContext } from './worker-context.ts'

/** Adds `imgpipe read` to the program. */
export function addRead(program: Command): void {
  program
    .command('read')
    .description('worker B: read the text of the pictures in the queue, until stopped')
    .option('--once', 'end when one run has been finished')
    .addHelpText(
      'after',
      examples(
        ['imgpipe read', 'until Ctrl-C or SIGTERM'],
        ['imgpipe read --once', 'until the next run is finished'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { once = false, config } = command.optsWithGlobals<{ once?: boolean; config?: string }>()
      const context = await workerContext('reader', config)
      await read(context, { once, onFinished: () => once && context.stop.begin() })
      context.clients.close()
    })
}
