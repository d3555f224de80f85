import type { Command } from 'commander'
import type { Settings } from '../config/schema.ts'
import { loadSettings } from '../config/settings.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { isForeignRunId, isRunId } from '../protocol/run-id.ts'
import { deleteRunFiles } from '../results/publish.ts'
import { deleteRun } from '../state/delete-run.ts'
import { readStatus } from '../status/read-status.ts'
import { runTable } from '../status/run-table.ts'
import { statusJson } from '../status/status-json.ts'
import { examples } from './examples.ts'

interface RunsOptions {
  json?: boolean
  delete?: string
  config?: string
}

/** Adds `imgpipe runs` to the program. */
export function addRuns(program: Command): void {
  program
    .command('runs')
    .description('list the runs that are kept on this host, or delete one')
    .option('--json', 'output JSON')
    .option('--delete <id>', 'delete a run with its results; one that is not complete is given up')
    .addHelpText(
      'after',
      examples(
        ['imgpipe runs', 'all runs, newest first'],
        ['sudo imgpipe runs --delete 20261122T174500Z-3f9a', 'delete one'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { json = false, delete: id, config } = command.optsWithGlobals<RunsOptions>()
      const settings = loadSettings({ configFile: config })
      process.stdout.write(id === undefined ? await listText(settings, json) : await deleteText(settings, id))
    })
}

async function listText({ stateDir, keepRuns }: Settings, json: boolean): Promise<string> {
  const { runs } = await readStatus(stateDir, { keepRuns, maxFailures: 0 })
  if (json) return `${statusJson(runs, 2)}\n`
  if (runs.length === 0) return `No runs in ${stateDir} yet: "imgpipe detect" starts one.\n`
  return `${runTable(runs).join('\n')}\n`
}

/** @throws {ImgpipeError} `usage` when there is no such run, as `deleteRun`, `permission` */
async function deleteText({ stateDir }: Settings, run: string): Promise<string> {
  const isId = isRunId(run) || isForeignRunId(run)
  if (!isId || !(await deleteRun(stateDir, run, () => deleteFiles(stateDir, run)))) {
    throw new ImgpipeError('usage', `There is no run "${run}" in ${stateDir}: "imgpipe runs" lists them.`)
  }
  return `Deleted run ${run}.\n`
}

async function deleteFiles(stateDir: string, run: string): Promise<void> {
  try {
    await deleteRunFiles(stateDir, [run])
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const message = `The results of run ${run} cannot be deleted (${why}): run the command as root or as the worker's user.`
    throw new ImgpipeError('permission', message, { cause: error })
  }
}
