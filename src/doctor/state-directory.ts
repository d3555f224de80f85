import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { mkdtemp, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ImgpipeError } from '../host/exit-codes.ts'
import { currentUser, type Owner, ownerOf, userName } from '../host/users.ts'
import { StateDatabase } from '../state/database.ts'
import { databasePath, type Role as Worker } from '../state/role.ts'
import { schemaVersion } from '../state/schema.ts'
import { startAgain } from '../state/sqlite-errors.ts'
import { type Finding, fail, fatal, ok, skip, warn } from './finding.ts'
import type { Host } from './host.ts'

const subject = 'state dir'
/** A million images take more, but not less than this is left to any run. */
const minFreeBytes = 100_000_000
/** Every page of a larger database takes too long to read. */
const maxCheckedBytes = 200_000_000
const maxNamedFiles = 3

/** Whether the workers can keep their state: directory, space, owners of the files, databases. */
export async function checkStateDirectory(
  stateDir: string,
  workers: readonly Worker[],
  host?: Host,
): Promise<Finding[]> {
  const directory = await checkDirectory(stateDir, host)
  if (directory.verdict === 'fail' || isClosed(stateDir)) return [directory]
  const owner = host ? host.user : ownerOf(stateDir)
  const foreign = owner && owner.uid !== 0 ? checkOwners(stateDir, owner) : []
  return [directory, ...foreign, ...checkDatabases(stateDir, workers)]
}

/** Whether the directory can be written to, and has room. What is written for that is removed again. */
async function checkDirectory(stateDir: string, host: Host | undefined): Promise<Finding> {
  const existing = await nearestDirectory(stateDir)
  const { bavail, bsize } = await statfs(existing)
  const free = bavail * bsize
  if (host && !isWithin(stateDir, host.installation.stateDir)) return outside(stateDir, host)
  if (host && !host.isUserOfUnits) {
    if (free >= minFreeBytes) return ok(subject, `${stateDir} is that of the units, ${size(free)} free`)
  } else {
    try {
      await rm(await mkdtemp(join(existing, '.imgpipe-doctor-')), { recursive: true })
    } catch (error) {
      return notWritable(stateDir, existing, error)
    }
  }
  const place = existing === stateDir ? `${stateDir} is writable` : `${stateDir} will be created`
  if (free >= minFreeBytes) return ok(subject, `${place}, ${size(free)} free`)
  const remedy = `free some space, or set "stateDir" to a directory with at least ${size(minFreeBytes)}`
  return fail(subject, 'disk', `only ${size(free)} free in ${stateDir}`, remedy)
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}

/** The sandbox of the units makes all other directories read-only. */
function outside(stateDir: string, { installation }: Host): Finding {
  const detail = `${stateDir} is outside of ${installation.stateDir}, where alone the units can write`
  const remedy =
    'remove "stateDir" from the settings, or allow it with ReadWritePaths= in a drop-in of the units'
  return warn(subject, detail, remedy)
}

/** The directory itself, or the nearest one above it that exists: it would be created there. */
async function nearestDirectory(path: string): Promise<string> {
  const isThere = await stat(path).catch(() => undefined)
  return isThere || dirname(path) === path ? path : nearestDirectory(dirname(path))
}

function notWritable(stateDir: string, existing: string, error: unknown): Finding {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  if (code === 'ENOTDIR')
    return fail(subject, 'disk', `${stateDir} is not a directory`, 'set "stateDir" to a directory')
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return fail(subject, 'disk', `the disk of ${stateDir} is full (${code})`, 'free some space')
  const me = currentUser().name
  const owner = ownerOf(stateDir)
  // On an installed host the directory is the service's, and whoever runs this command is somebody else.
  if (code === 'EACCES' && existing === stateDir && owner && owner.name !== me)
    return skip(
      subject,
      `not checked: ${stateDir} belongs to ${owner.name}; use "sudo -u ${owner.name} imgpipe doctor"`,
    )
  const remedy = 'run this command as the user of the workers, or give that user the directory'
  return fail(subject, 'disk', `${stateDir} cannot be written by ${me} (${code})`, remedy)
}

/** Whether the directory exists and this user may not see what is in it. */
function isClosed(stateDir: string): boolean {
  try {
    accessSync(stateDir, constants.R_OK | constants.X_OK)
    return false
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EACCES'
  }
}

/** A worker that was once started by somebody else has left files that the service cannot write. */
function checkOwners(stateDir: string, owner: Owner): Finding[] {
  // systemd gives the units a directory that is not theirs with all that is in it (systemd.exec(5), StateDirectory=).
  if (ownerOf(stateDir)?.uid !== owner.uid) return []
  const foreign = filesOfOthers(stateDir, owner)
  if (foreign.length === 0) return []
  const named = foreign.slice(0, maxNamedFiles).map(({ name, uid }) => `${name} (${userName(uid)})`)
  const more = foreign.length > maxNamedFiles ? ` and ${foreign.length - maxNamedFiles} more` : ''
  const detail = `in ${stateDir}, which belongs to ${owner.name}, other users own ${named.join(', ')}${more}`
  return [fail('state files', 'disk', detail, `sudo chown -R ${owner.uid}:${owner.gid} ${stateDir}`)]
}

function filesOfOthers(stateDir: string, { uid }: Owner): { name: string; uid: number }[] {
  const isOurs = /^((detector|reader)\.(sqlite(-wal|-shm)?|lock)|results\.(txt|json)|runs)$/
  const names = namesIn(stateDir).filter((name) => isOurs.test(name))
  const runs = namesIn(join(stateDir, 'runs')).map((name) => join('runs', name))
  return [...names, ...runs]
    .map((name) => ({ name, uid: statSync(join(stateDir, name), { throwIfNoEntry: false })?.uid ?? uid }))
    .filter((file) => file.uid !== uid)
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function checkDatabases(stateDir: string, workers: readonly Worker[]): Finding[] {
  const findings = workers.map((worker) => checkDatabase(databasePath(stateDir, worker)))
  const bad = findings.filter((finding) => typeof finding === 'object')
  if (bad.length > 0) return bad
  const readable = findings.filter((finding) => typeof finding === 'string')
  return [ok('databases', readable.length > 0 ? readable.join(', ') : 'none yet: no worker has run here')]
}

/** @returns what is well with it; undefined when there is none */
function checkDatabase(path: string): string | Finding | undefined {
  let database: StateDatabase | undefined
  try {
    database = StateDatabase.openReadOnly(path, schemaVersion)
    return database && quickCheck(database, path)
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    if (error.reason !== 'permission') return fatal('databases', error)
    return skip('databases', `not checked: ${error.message.replace(/\.$/, '')}`)
  } finally {
    void database?.close()
  }
}

function quickCheck(database: StateDatabase, path: string): string | Finding {
  const bytes = statSync(path).size
  const readable = `${basename(path)} is readable, ${size(bytes)}`
  if (bytes > maxCheckedBytes) return readable
  const row = database.read(() => database.prepare('PRAGMA quick_check(1)').get())
  const result = String(row?.quick_check)
  if (result === 'ok') return readable
  return fail('databases', 'disk', `${path} is corrupt (${result})`, startAgain(path))
}

/** `812 MB`, `40 GB` */
function size(bytes: number): string {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`
  return bytes < 10e9 ? `${Math.round(bytes / 1e6)} MB` : `${Math.round(bytes / 1e9)} GB`
}
