import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { addCompletion } from './completion.ts'
import { addCredentials } from './credentials.ts'
import { addDemo } from './demo.ts'
import { addDetect } from './detect.ts'
import { addDoctor } from './doctor.ts'
import { addHostChecks } from './host-checks.ts'
import { addLocal } from './local.ts'
import { addPipelineOption, usePipeline } from './pipeline.ts'
import { addPlan } from './plan.ts'
import { addRead } from './read.ts'
import { addReport } from './report.ts'
import { addResults } from './results.ts'
import { addRuns } from './runs.ts'
import { addSetup } from './setup.ts'
import { addStatus } from './status.ts'

const commands = [
  addDemo,
  addDetect,
  addRead,
  addPlan,
  addStatus,
  addResults,
  addRuns,
  addReport,
  addSetup,
  addCredentials,
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
  addPipelineOption(program)
  for (const add of commands) add(program)
  for (const command of program.commands) finish(command)
  program.hook('preAction', (_program, command) => {
    const { pipeline } = command.optsWithGlobals<{ pipeline?: string }>()
    // The doctor looks at more of it than the environment.
    if (pipeline !== undefined && command.name() !== 'doctor') usePipeline(pipeline, process.env)
  })
  return program
}

const configDescription = 'settings file (default: $IMGPIPE_CONFIG, else /etc/imgpipe/imgpipe.json)'

/** These concern no pipeline of an installed host. */
const withoutPipeline = ['demo', 'local', 'completion']

/** What every command has: help, the settings file, and errors that reach `cli.ts`. */
function finish(command: Command): void {
  if (!command.options.some(({ long }) => long === '--config'))
    command.option('--config <file>', configDescription)
  if (!withoutPipeline.includes(command.name())) addPipelineOption(command)
  command
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .allowExcessArguments(false)
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(version)
}
