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
    .addHelpText(
      'after',
      examples(
        ['imgpipe setup', 'as the settings say'],
        ['IMGPIPE_QUEUE=cars.fifo imgpipe setup', 'a FIFO queue'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const settings = loadSettings({ configFile: command.optsWithGlobals<{ config?: string }>().config })
      const clients = createClients(settings)
      try {
        await createQueues(clients.sqs, settings, console.log)
      } finally {
        clients.close()
      }
    })
}
