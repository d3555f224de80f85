import { type Command, Option } from 'commander'
import type { Settings } from '../config/schema.ts'
import { loadSettings } from '../config/settings.ts'
import { shutdownOnSignals, sleep } from '../host/shutdown.ts'
import { metricsText } from '../status/metrics.ts'
import { readNewestRuns, readStatus } from '../status/read-status.ts'
import { statusJson } from '../status/status-json.ts'
import { statusLines } from '../status/status-text.ts'
import { examples } from './examples.ts'

const shown = { maxRuns: 5, maxFailures: 5 }
const refreshMs = 1000

interface StatusOptions {
  json?: boolean
  watch?: boolean
  openmetrics?: boolean
  pipeline?: string
  config?: string
}

/** Adds `imgpipe status` to the program. */
export function addStatus(program: Command): void {
  program
    .command('status')
    .description("show this host's workers and newest runs: progress, rate, results, failures, cost")
    .option('--json', 'output JSON')
    .option('--watch', 'refresh every second until Ctrl-C')
    .addOption(
      new Option('--openmetrics', 'output metrics for Prometheus (OpenMetrics text)').conflicts([
        'json',
        'watch',
      ]),
    )
    .addHelpText(
      'after',
      examples(
        ['imgpipe status', 'the newest runs'],
        ['imgpipe status --watch', 'refreshed every second until Ctrl-C'],
        ['imgpipe status --json | jq .runs[0].reader', 'for a program'],
        ['imgpipe status --openmetrics', 'for a monitoring system'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<StatusOptions>()
      const { json = false, watch = false, openmetrics = false, pipeline, config } = options
      const settings = loadSettings({ configFile: config })
      const text = () => (openmetrics ? metricsOf(settings, pipeline) : statusText(settings, { json, watch }))
      const show = async () => process.stdout.write(await text())
      await show()
      if (!watch) return
      const { graceful } = shutdownOnSignals()
      for (await sleep(refreshMs, graceful); !graceful.aborted; await sleep(refreshMs, graceful)) await show()
    })
}

async function statusText(
  { stateDir, keepRuns, maxCallsPerDay }: Settings,
  { json, watch }: { json: boolean; watch: boolean },
): Promise<string> {
  const status = await readStatus(stateDir, { ...shown, keepRuns })
  if (json) return `${statusJson({ stateDir, maxCallsPerDay, ...status }, watch ? undefined : 2)}\n`
  const lines = statusLines(status, maxCallsPerDay)
  if (lines.length === 0) lines.push(`No runs in ${stateDir} yet: "imgpipe detect" starts one.`)
  // On a terminal the screen is redrawn; elsewhere one report follows the other.
  const clear = watch && process.stdout.isTTY ? '\x1b[H\x1b[2J' : ''
  return `${clear}${lines.join('\n')}\n`
}

async function metricsOf(
  { stateDir, keepRuns, maxCallsPerDay }: Settings,
  pipeline: string | undefined,
): Promise<string> {
  const status = await readNewestRuns(stateDir, { keepRuns, maxFailures: 0 })
  return metricsText(status, { maxCallsPerDay, pipeline })
}
