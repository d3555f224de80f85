import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addCompletion } from './completion.ts'
import { addDemo } from './demo.ts'
import { addDetect } from './detect.ts'
import { addDoctor } from './doctor.ts'
import { addLocal } from './local.ts'
import { addRead } from './read.ts'
import { addReport } from './report.ts'
import { addSetup } from './setup.ts'
import { addStatus } from './status.ts'

const commands = [
  addDemo,
  addDetect,
  addRead,
  addSetup,
  addDoctor,
  addStatus,
  addReport,
  addLocal,
  addCompletion,
]

/** The whole command line; what each command does is in the file of its name. */
export function createProgram(): Command {
  const program = new Command('imgpipe')
    .description('Finds the cars in an S3 bucket of pictures and reads the text beside them.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--config <file>', configWords)
    .addHelpText('after', '\n"imgpipe COMMAND --help" shows a command and examples of it.')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
  for (const add of commands) add(program)
  for (const command of program.commands) finish(command)
  return program
}

const configWords = 'settings file (default: $IMGPIPE_CONFIG, else /etc/imgpipe/imgpipe.json)'

/** What every command has: its own help, the settings file, and errors that come to `cli.ts`. */
function finish(command: Command): void {
  if (!command.options.some(({ long }) => long === '--config')) command.option('--config <file>', configWords)
  command
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .allowExcessArguments(false)
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}
