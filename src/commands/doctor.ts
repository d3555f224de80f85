import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { loadSettings } from '../config/settings.ts'
import type { Finding, Role } from '../doctor/finding.ts'
import { readEnvironment } from '../host/environment.ts'
import { exitCodes, ImgpipeError } from '../host/exit-codes.ts'
import { examples } from './examples.ts'

const roles = ['detector', 'reader', 'both'] as const
/** install.sh records which worker a host was installed for. */
const installedRole = '/opt/imgpipe/role'
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
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<{ role?: Role; timeout?: number; config?: string }>()
      const { role = roleOfHost(), timeout = timeoutSeconds, config } = options
      // The other commands start without its modules.
      const { runChecks } = await import('../doctor/run-checks.ts')
      const findings = runChecks({
        role,
        loadSettings: () => loadSettings({ configFile: config }),
        environment: process.env,
        limitMs: timeout * 1000,
      })
      process.exitCode = exitCodeOf(await print(findings))
    })
}

/** @throws {ImgpipeError} `usage` */
function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds > 0 && seconds <= 3600) return seconds
  throw new ImgpipeError('usage', `--timeout must be a number of seconds up to 3600, but is "${text}".`)
}

function roleOfHost(): Role {
  try {
    const recorded = readFileSync(installedRole, 'utf8').trim()
    return roles.find((role) => role === recorded) ?? 'both'
  } catch {
    return 'both'
  }
}

/** Prints each finding as it comes. */
async function print(findings: AsyncIterable<Finding>): Promise<Finding[]> {
  const { useColor, isUtf8 } = readEnvironment()
  const isTerminal = process.stdout.isTTY === true
  const style = {
    useSymbols: isTerminal && useColor && isUtf8,
    useColor: isTerminal && useColor,
    columns: isTerminal ? process.stdout.columns : undefined,
  }
  const { findingLine, summaryLine } = await import('../doctor/finding-lines.ts')
  const printed: Finding[] = []
  for await (const finding of findings) {
    printed.push(finding)
    console.log(findingLine(finding, style))
  }
  console.log(summaryLine(printed))
  return printed
}

/** 0 when no check has failed, else the class of the first failure. */
function exitCodeOf(findings: readonly Finding[]): number {
  const first = findings.find((finding) => finding.verdict === 'fail')
  return first?.verdict === 'fail' ? exitCodes[first.reason] : exitCodes.done
}
