import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { type PastedCredentials, parsePastedCredentials } from '../aws/pasted-credentials.ts'
import { loadSettings } from '../config/settings.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import {
  credentialsCommand,
  findInstallation,
  type Installation,
  unitEnvironment,
} from '../host/installation.ts'
import { examples } from './examples.ts'

const maxBytes = 64 * 1024
const checkMs = 20_000

interface CredentialsOptions {
  from?: string
  profile?: string
  check: boolean
  config?: string
}

/** Adds `imgpipe credentials` to the program. */
export function addCredentials(program: Command): void {
  program
    .command('credentials')
    .description('install pasted AWS credentials for the workers of this host, after a check (needs sudo)')
    .option(
      '--from <file>',
      'read them from this file, such as ~/.aws/credentials, instead of standard input',
    )
    .option('--profile <name>', 'section to take (default: default, otherwise the only one)')
    .option('--no-check', 'do not ask AWS whether it accepts them')
    .addHelpText(
      'after',
      examples(
        [credentialsCommand, 'then paste the block of the learner lab, and press Ctrl-D'],
        [`${credentialsCommand} --from ~/.aws/credentials`, 'those of your own user'],
        [`${credentialsCommand} --from lab.txt --no-check`, 'without a call to AWS'],
      ),
    )
    .action(async (_options: object, command: Command) => {
      console.log(await install(command.optsWithGlobals<CredentialsOptions>()))
    })
}

async function install({ from, profile, check, config }: CredentialsOptions): Promise<string> {
  const installation = requireRoot()
  const pasted = parsePastedCredentials(
    from === undefined ? await readStandardInput() : readGiven(from),
    profile,
  )
  requireTimeLeft(pasted)
  const verified = check ? await verify(pasted, config) : ', not checked'
  const { installCredentials } = await import('../aws/install-credentials.ts')
  const { variables } = unitEnvironment(installation, undefined, process.env)
  const { path, owner, mode } = await installCredentials(
    installation,
    variables.AWS_PROFILE || 'default',
    pasted,
  )
  const { accessKeyId: id } = pasted
  const shown = id.length > 8 ? `${id.slice(0, 4)}…${id.slice(-4)}` : id
  const what = `Installed ${shown} in ${path} (${owner}, mode ${mode})${verified}${expiry(pasted)}.`
  const precedence = takingPrecedence(installation, variables)
  if (precedence === undefined)
    return `${what}\nRunning workers use them within seconds; no restart is needed.`
  return `${what}\nThe workers do not use them while ${precedence}: remove it there and restart them.`
}

/** @returns what makes the units pass over their credentials file */
function takingPrecedence(
  { credentialsFile, settingsDir }: Installation,
  { AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SHARED_CREDENTIALS_FILE }: Readonly<Record<string, string>>,
): string | undefined {
  const sets = `${settingsDir}/imgpipe.env sets`
  if (!AWS_PROFILE && AWS_ACCESS_KEY_ID) return `${sets} AWS_ACCESS_KEY_ID`
  return AWS_SHARED_CREDENTIALS_FILE === credentialsFile ? undefined : `${sets} AWS_SHARED_CREDENTIALS_FILE`
}

/** @throws {ImgpipeError} `usage` where imgpipe is not installed, `permission` without root */
function requireRoot(): Installation {
  const installation = findInstallation()
  if (!installation) {
    const message =
      'Credentials are installed only on hosts that deploy/install.sh has set up; elsewhere put them into ~/.aws/credentials, where the AWS SDK looks for them.'
    throw new ImgpipeError('usage', message)
  }
  if (process.getuid?.() === 0) return installation
  const message = `Only root can install credentials in ${installation.credentialsFile}: run "${credentialsCommand}".`
  throw new ImgpipeError('permission', message)
}

async function readStandardInput(): Promise<string> {
  if (process.stdin.isTTY) {
    process.stderr.write('Paste the block with the three keys, then press Enter and Ctrl-D:\n')
  }
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) {
    chunks.push(chunk)
    limited(Buffer.concat(chunks), 'Standard input')
  }
  return Buffer.concat(chunks).toString('utf8')
}

function readGiven(path: string): string {
  try {
    return limited(readFileSync(path), path)
  } catch (error) {
    if (error instanceof ImgpipeError) throw error
    const why = error instanceof Error && 'code' in error ? error.code : error
    throw new ImgpipeError(
      'usage',
      `${path} cannot be read (${why}): name a file with credentials after --from.`,
    )
  }
}

function limited(bytes: Buffer, source: string): string {
  if (bytes.length <= maxBytes) return bytes.toString('utf8')
  throw new ImgpipeError('usage', `${source} has more than ${maxBytes} bytes: give only the credentials.`)
}

function requireTimeLeft({ expiration }: PastedCredentials): void {
  if (!expiration || expiration.getTime() > Date.now()) return
  const message = `These credentials expired at ${iso(expiration)}: start the session again and copy its new ones.`
  throw new ImgpipeError('permission', message)
}

/** @returns how AWS took them, as the end of a sentence */
async function verify(credentials: PastedCredentials, configFile: string | undefined): Promise<string> {
  const settings = loadSettings({ configFile })
  const { createClients } = await import('../aws/clients.ts')
  const { verifyCredentials } = await import('../aws/verify-credentials.ts')
  const clients = createClients(settings, { credentials })
  try {
    const lacking = await verifyCredentials(clients, settings, AbortSignal.timeout(checkMs))
    return lacking === undefined ? ', accepted by AWS' : `, accepted by AWS, but ${lacking}`
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    throw new ImgpipeError(error.reason, `Nothing was installed. ${error.message}`)
  } finally {
    clients.close()
  }
}

function expiry({ sessionToken, expiration }: PastedCredentials): string {
  if (expiration) return `, valid until ${iso(expiration)}`
  return sessionToken === undefined ? '' : ', temporary (expiry time not known; four hours in a learner lab)'
}

function iso(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}
