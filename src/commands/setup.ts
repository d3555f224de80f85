import type { Command } from 'commander'
import { createClients } from '../aws/clients.ts'
import { createQueues } from '../aws/create-queues.ts'
import { loadSettings } from '../config/settings.ts'
import { examples } from './examples.ts'

/** Adds `imgpipe setup` to the program. */
export function addSetup(program: Command): void {
  program
    .command('setup')
    .description('create the SQS queue and its dead-letter queue if they do not exist')
    .option('--repair', 'also correct an existing queue: dead-letter queue, retention, visibility timeout')
    .addHelpText(
      'after',
      examples(
        ['imgpipe setup', 'as the settings say'],
        ['imgpipe setup --repair', 'give a queue from the console its dead-letter queue'],
        ['IMGPIPE_QUEUE=cars.fifo imgpipe setup', 'a FIFO queue'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { config, repair = false } = command.optsWithGlobals<{ config?: string; repair?: boolean }>()
      const settings = loadSettings({ configFile: config })
      const clients = createClients(settings)
      try {
        await createQueues(clients.sqs, settings, console.log, { repair })
      } finally {
        clients.close()
      }
    })
}
