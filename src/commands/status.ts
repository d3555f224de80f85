import type { Command } from 'commander'
import { loadSettings } from '../config/settings.ts'
import { pause, stopOnSignals } from '../daemon/stop-signal.ts'
import { type RunStatus, readStatus } from '../status/read-status.ts'
import { runLines } from '../status/status-text.ts'
import { examples } from './examples.ts'

const runsShown = 5
const watchMilliseconds = 1000

interface StatusOptions {
  json?: boolean
  watch?: boolean
  config?: string
}

/** Adds `imgpipe status` to the program. */
export function addStatus(program: Command): void {
  program
    .command('status')
    .description('show the newest runs of this machine: how far, how fast, what was found, what it has cost')
    .option('--json', 'for programs: an array of runs, newest first')
    .option('--watch', 'go on showing until Ctrl-C')
    .addHelpText(
      'after',
      examples(
        ['imgpipe status', 'the newest runs'],
        ['imgpipe status --watch', 'until Ctrl-C, drawn anew each second'],
        ['imgpipe status --json | jq .[0].reader', 'for a program'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const { json = false, watch = false, config } = command.optsWithGlobals<StatusOptions>()
      const { stateDir } = loadSettings({ configFile: config })
      const show = async () => print(await readStatus(stateDir, runsShown), stateDir, json, watch)
      await show()
      if (!watch) return
      const { soft } = stopOnSignals()
      for (await pause(watchMilliseconds, soft); !soft.aborted; await pause(watchMilliseconds, soft))
        await show()
    })
}

function print(runs: RunStatus[], stateDir: string, json: boolean, watch: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(runs, undefined, watch ? undefined : 2)}\n`)
    return
  }
  const lines = runs.flatMap(runLines)
  if (lines.length === 0) lines.push(`No runs in ${stateDir} yet: "imgpipe detect" begins one.`)
  // On a terminal the picture is drawn over the last one; elsewhere each follows the other.
  if (watch && process.stdout.isTTY) process.stdout.write('\x1b[H\x1b[2J')
  process.stdout.write(`${lines.join('\n')}\n`)
}
