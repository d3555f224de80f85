import type { Command } from 'commander'
import { detect } from '../detector/detect.ts'
import { examples } from './examples.ts'
import { workerContext } from './worker-context.ts'

/** Adds `imgpipe detect` to the program. */
export function addDetect(program: Command): void {
  program
    .command('detect')
    .description('worker A: look for cars in the bucket once, or go on with an interrupted run')
    .addHelpText(
      'after',
      examples(
        ['imgpipe detect', 'one run with the settings of /etc/imgpipe/imgpipe.json'],
        ['IMGPIPE_BUCKET=my-pictures imgpipe detect', 'one run over another bucket'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const context = await workerContext('detector', command.optsWithGlobals<{ config?: string }>().config)
      await detect(context)
      context.clients.close()
    })
}
