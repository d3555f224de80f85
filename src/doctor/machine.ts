import { readFileSync } from 'node:fs'
import { mkdtemp, rm, stat, statfs } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { type Finding, right, unknown, wrong } from './finding.ts'

/** Journals, ledgers and results are text; below this a large run may not find room. */
const leastFreeBytes = 100 * 1000 * 1000

/** The Node that runs this, against the `engines` of package.json. */
export function checkNode(version = process.versions.node): Finding {
  const least = leastNode()
  if (isAtLeast(version, least)) return right('Node', `version ${version}`)
  const remedy = `install Node ${least} or newer, or use "npm run imgpipe --", which brings its own`
  return wrong('Node', 'settings', `version ${version} is too old`, remedy)
}

function leastNode(): string {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(engines.node).replace(/^\D+/, '')
}

function isAtLeast(version: string, least: string): boolean {
  const [have = 0, want = 0] = [version, least].map((text) => {
    const [major = 0, minor = 0] = text.split('.').map(Number)
    return major * 10_000 + minor
  })
  return have >= want
}

/** Whether the state folder can be written to, and has room. What is written for that is taken away again. */
export async function checkDisk(stateDir: string): Promise<Finding> {
  const folder = await nearestFolder(stateDir)
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  try {
    await rm(await mkdtemp(join(folder, '.imgpipe-doctor-')), { recursive: true })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EACCES' && folder === stateDir && (await isOfAnotherUser(stateDir)))
      return unknown(
        'disk',
        `${stateDir} is another user's, ${megabytes(free)} are free: look as that user, such as with "sudo -u imgpipe"`,
      )
    return cannotWrite(stateDir, error as NodeJS.ErrnoException)
  }
  const place = folder === stateDir ? `${stateDir} is writable` : `${stateDir} will be made`
  if (free >= leastFreeBytes) return right('disk', `${place}, ${megabytes(free)} are free`)
  const remedy = `make room, or set stateDir to a folder with at least ${megabytes(leastFreeBytes)}`
  return wrong('disk', 'disk', `only ${megabytes(free)} are free at ${stateDir}`, remedy)
}

/** The folder itself, or the nearest one above it that exists: there it would be made. */
async function nearestFolder(path: string): Promise<string> {
  const isThere = await stat(path).catch(() => undefined)
  return isThere || dirname(path) === path ? path : nearestFolder(dirname(path))
}

/** On an installed host the folder is the service's, and whoever looks is somebody else. */
async function isOfAnotherUser(folder: string): Promise<boolean> {
  const { uid, mode } = await stat(folder)
  return uid !== userInfo().uid && (mode & 0o200) !== 0
}

function cannotWrite(stateDir: string, { code, message }: NodeJS.ErrnoException): Finding {
  if (code === 'ENOTDIR')
    return wrong('disk', 'disk', `${stateDir} is not a folder`, 'set stateDir to a folder')
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return wrong('disk', 'disk', `the disk of ${stateDir} is full (${code})`, 'make room')
  const said = `${stateDir} cannot be written to by the user ${userInfo().username} (${code ?? message})`
  return wrong('disk', 'disk', said, 'run this as the user of the workers, or give that user the folder')
}

function megabytes(bytes: number): string {
  return bytes >= 10e9 ? `${Math.round(bytes / 1e9)} GB` : `${Math.round(bytes / 1e6)} MB`
}
