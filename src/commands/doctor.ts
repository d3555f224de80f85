import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import { loadSettings } from '../config/settings.ts'
import { readSurroundings } from '../config/surroundings.ts'
import { exitCodes, ImgpipeError } from '../daemon/exit-codes.ts'
import { examine } from '../doctor/examine.ts'
import type { Finding, Role } from '../doctor/finding.ts'
import { findingLine, summaryLine } from '../doctor/finding-lines.ts'
import { examples } from './examples.ts'

const roles = ['detector', 'reader', 'both'] as const
/** install.sh writes down which worker a host was installed for. */
const installedRole = '/opt/imgpipe/role'
const checkSeconds = 10

/** Adds `imgpipe doctor` to the program. */
export function addDoctor(program: Command): void {
  const role = new Option('--role <worker>', 'whose needs to look at (default: as installed, else both)')
  program
    .command('doctor')
    .description('check settings, credentials, bucket, queue, Rekognition, clock, disk and units')
    .addOption(role.choices(roles))
    .option('--timeout <seconds>', `for each check (default: ${checkSeconds})`, readSeconds)
    .addHelpText(
      'after',
      examples(
        ['imgpipe doctor', 'everything that both workers need'],
        ['imgpipe doctor --role reader', 'what worker B needs'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<{ role?: Role; timeout?: number; config?: string }>()
      const { role = roleOfHost(), timeout = checkSeconds, config } = options
      const examination = {
        role,
        loadSettings: () => loadSettings({ configFile: config }),
        mostMilliseconds: timeout * 1000,
      }
      process.exitCode = exitCodeOf(await tell(examine(examination)))
    })
}

/** @throws {ImgpipeError} `usage` */
function readSeconds(text: string): number {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds > 0 && seconds <= 3600) return seconds
  throw new ImgpipeError('usage', `--timeout must be a number of seconds up to 3600, and is "${text}".`)
}

function roleOfHost(): Role {
  try {
    const written = readFileSync(installedRole, 'utf8').trim()
    return roles.find((role) => role === written) ?? 'both'
  } catch {
    return 'both'
  }
}

/** Prints each finding as it comes. */
async function tell(findings: AsyncIterable<Finding>): Promise<Finding[]> {
  const { mayColour, isUtf8 } = readSurroundings()
  const isTerminal = process.stdout.isTTY === true
  const look = { marks: isTerminal && mayColour && isUtf8, colour: isTerminal && mayColour }
  const told: Finding[] = []
  for await (const finding of findings) {
    told.push(finding)
    console.log(findingLine(finding, look))
  }
  console.log(summaryLine(told))
  return told
}

/** 0 when all is right, else the class of the first thing that is wrong. */
function exitCodeOf(findings: readonly Finding[]): number {
  const first = findings.find((finding) => finding.verdict === 'wrong')
  return first?.verdict === 'wrong' ? exitCodes[first.reason] : exitCodes.done
}
