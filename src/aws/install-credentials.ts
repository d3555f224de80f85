import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { syncDirectory } from '../host/directories.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import type { Installation } from '../host/installation.ts'
import { isLoadedBySystemd } from '../host/unit-drop-ins.ts'
import type { PastedCredentials } from './pasted-credentials.ts'
import { expiryKey, parseSharedCredentials } from './shared-credentials.ts'

/** The units' user reads it by its group; no other user may. */
const mode = 0o640
/** Where systemd reads the file for the units, nobody else has to. */
const modeForSystemd = 0o600
const rootId = 0

/**
 * Replaces the credentials of a profile in the file of the units; other sections stay. The file is replaced as a whole: no
 * worker ever reads half of it, and its owner and mode are right from the start.
 *
 * @throws {ImgpipeError} `settings` when the user of the units is missing, `disk` when the file cannot be written
 */
export async function installCredentials(
  installation: Installation,
  profile: string,
  credentials: PastedCredentials,
): Promise<{ path: string; owner: string; mode: string }> {
  const { credentialsFile: path, user } = installation
  if (!user) {
    throw new ImgpipeError(
      'settings',
      'The user of the units does not exist on this host: run deploy/install.sh again.',
    )
  }
  const isForSystemd = isLoadedBySystemd(installation)
  const [gid, bits] = isForSystemd ? [rootId, modeForSystemd] : [user.gid, mode]
  const text = [section(profile, credentials), ...otherSections(path, profile)].join('\n\n')
  const temporary = join(dirname(path), `.credentials-${randomBytes(6).toString('hex')}`)
  try {
    writeOwned(temporary, `${text}\n`, gid, bits)
    renameSync(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    rmSync(temporary, { force: true })
    const why = error instanceof Error && 'code' in error ? error.code : error
    throw new ImgpipeError('disk', `${path} cannot be written (${why}): the credentials were not installed.`)
  }
  return { path, owner: `root:${isForSystemd ? 'root' : user.name}`, mode: bits.toString(8).padStart(4, '0') }
}

function section(profile: string, credentials: PastedCredentials): string {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials
  return [
    `[${profile}]`,
    `aws_access_key_id=${accessKeyId}`,
    `aws_secret_access_key=${secretAccessKey}`,
    ...(sessionToken === undefined ? [] : [`aws_session_token=${sessionToken}`]),
    ...(expiration === undefined ? [] : [`${expiryKey}=${expiration.toISOString()}`]),
  ].join('\n')
}

/** Of the file that is there; what stands above its first section is nobody's. */
function otherSections(path: string, profile: string): string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return []
  }
  const { sections } = parseSharedCredentials(text)
  return sections.filter(({ name }) => name !== profile).map((each) => each.text)
}

/** The secret is never in a file that others may read, not even for a moment. */
function writeOwned(path: string, text: string, gid: number, bits: number): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, text)
    fchownSync(file, rootId, gid)
    fchmodSync(file, bits)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
