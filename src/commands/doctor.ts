import { type Command, Option } from 'commander'
import { loadSettings } from '../config/settings.ts'
import { type Finding, isUnseen, type Role } from '../doctor/finding.ts'
import { readEnvironment } from '../host/environment.ts'
import { exitCodes, ImgpipeError } from '../host/exit-codes.ts'
import { findInstallation, type Installation, installedRole } from '../host/installation.ts'
import { examples } from './examples.ts'
import { requireInstallation } from './pipeline.ts'

const roles = ['detector', 'reader', 'both'] as const
const timeoutSeconds = 10

/** Adds `imgpipe doctor` to the program. */
export function addDoctor(program: Command): void {
  const role = new Option(
    '--role <worker>',
    'worker to check for (default: the installed role, otherwise both)',
  )
  program
    .command('doctor')
    .description('check settings, state, credentials, bucket, queue, Rekognition, clock and units')
    .addOption(role.choices(roles))
    .option('--timeout <seconds>', `for each check (default: ${timeoutSeconds})`, parseSeconds)
    .addHelpText(
      'after',
      examples(
        ['imgpipe doctor', 'everything that both workers need'],
        ['imgpipe doctor --role reader', 'what worker B needs'],
        ['sudo imgpipe doctor', 'all of it on an installed host, as the user of the units'],
        ['sudo imgpipe doctor --pipeline second', 'a further pipeline of that host'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<DoctorOptions>()
      process.exitCode = exitCodeOf(await check(options))
    })
}

interface DoctorOptions {
  role?: Role
  timeout?: number
  config?: string
  pipeline?: string
}

async function check({ timeout = timeoutSeconds, config, pipeline, ...options }: DoctorOptions) {
  const installation =
    pipeline === undefined ? findInstallation() : requireInstallation(pipeline, process.env)
  const role = options.role ?? roleOfHost(installation)
  const style = outputStyle()
  // The other commands start without these modules; all are loaded before the user of this process may change.
  const { runChecks } = await import('../doctor/run-checks.ts')
  const lines = await import('../doctor/finding-lines.ts')
  const { seeAsUnits } = await import('../doctor/host.ts')
  const host = installation && seeAsUnits(installation, pipeline)
  const findings = runChecks({
    role,
    loadSettings: () => loadSettings({ configFile: config }),
    environment: process.env,
    limitMs: timeout * 1000,
    host,
  })
  const printed: Finding[] = []
  // Each is printed as it comes.
  for await (const finding of findings) {
    printed.push(finding)
    console.log(lines.findingLine(finding, style))
  }
  console.log(lines.summaryLine(printed))
  return printed
}

/** @throws {ImgpipeError} `usage` */
function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds > 0 && seconds <= 3600) return seconds
  throw new ImgpipeError('usage', `--timeout must be a number of seconds up to 3600, but is "${text}".`)
}

function roleOfHost(installation: Installation | undefined): Role {
  const recorded = installation && installedRole(installation)
  return roles.find((role) => role === recorded) ?? 'both'
}

function outputStyle() {
  const { useColor, isUtf8 } = readEnvironment()
  const isTerminal = process.stdout.isTTY === true
  return {
    useSymbols: isTerminal && useColor && isUtf8,
    useColor: isTerminal && useColor,
    columns: isTerminal ? process.stdout.columns : undefined,
  }
}

/** 0 when no check has failed, else the class of the first failure; 77 also when not everything could be seen. */
function exitCodeOf(findings: readonly Finding[]): number {
  const first = findings.find((finding) => finding.verdict === 'fail')
  if (first?.verdict === 'fail') return exitCodes[first.reason]
  return findings.some(isUnseen) ? exitCodes.permission : exitCodes.done
}
