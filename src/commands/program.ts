import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addCompletion } from './completion.ts'
import { addDemo } from './demo.ts'
import { addDetect } from './detect.ts'
import { addDoctor } from './doctor.ts'
import { addHostChecks } from './host-checks.ts'
import { addLocal } from './local.ts'
import { addPlan } from './plan.ts'
import { addRead } from './read.ts'
import { addReport } from './report.ts'
import { addRuns } from './runs.ts'
import { addSetup } from './setup.ts'
import { addStatus } from './status.ts'

const commands = [
  addDemo,
  addDetect,
  addRead,
  addPlan,
  addStatus,
  addRuns,
  addReport,
  addSetup,
  addDoctor,
  addLocal,
  addCompletion,
  addHostChecks,
]

/** The whole command line; each command is in the file of its name, the hidden ones in host-checks.ts. */
export function createProgram(): Command {
  const program = new Command('imgpipe')
    .description('Finds the images in an S3 bucket that show a car, and reads the text in them.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--config <file>', configDescription)
    .addHelpText('after', '\n"imgpipe COMMAND --help" describes a command, with examples.')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
  for (const add of commands) add(program)
  for (const command of program.commands) finish(command)
  return program
}

const configDescription = 'settings file (default: $IMGPIPE_CONFIG, else /etc/imgpipe/imgpipe.json)'

/** What every command has: help, the settings file, and errors that reach `cli.ts`. */
function finish(command: Command): void {
  if (!command.options.some(({ long }) => long === '--config'))
    command.option('--config <file>', configDescription)
  command
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .allowExcessArguments(false)
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}
