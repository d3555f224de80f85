import { type Stats, statSync } from 'node:fs'
import type { Environment } from '../aws/clients.ts'
import { credentialsRemedy } from '../aws/explain.ts'
import { expiryKey, type Section, sectionOf } from '../aws/shared-credentials.ts'
import { isLoadedBySystemd } from '../host/unit-drop-ins.ts'
import { blockerOf, currentUser, userName } from '../host/users.ts'
import { checkContent, credentialsFile, readCredentialsFile } from './credentials-file.ts'
import { type Finding, fail, unseen, warn } from './finding.ts'
import type { Host } from './host.ts'

const subject = 'credentials'
/** Enough to replace them before a run stops for want of them. */
const minLeftMs = 15 * 60_000
const minute = 60_000

/**
 * What can be said about the units' credentials file without asking AWS: whether it is there, who can read it, what is in it.
 *
 * @returns a failure or what could not be seen, which make all further questions pointless; warnings; nothing when there is
 *   no file, as on hosts with a role
 */
export function checkHostFile(host: Host, environment: Environment, now = Date.now()): Finding[] {
  const path = credentialsFile(environment)
  const file = inspect(path)
  if (file === 'missing') return []
  if (file === 'hidden') return [hidden(host, path)]
  const closed = unreadableByUnits(host, path, file)
  if (closed) return [closed]
  const loose = checkMode(host, path, file)
  const content = readCredentialsFile(path)
  if (content === undefined) return loose
  if (content === 'unreadable')
    return [...loose, unseen(subject, `${currentUser().name} cannot read ${path}`)]
  const unusable = checkContent(path, content, environment)
  if (unusable) return [...loose, unusable]
  const section = sectionOf(content, environment.AWS_PROFILE || 'default')
  return [...loose, ...checkKeys(path, section, now)]
}

function inspect(path: string): Stats | 'missing' | 'hidden' {
  try {
    return statSync(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return code === 'EACCES' ? 'hidden' : 'missing'
  }
}

function hidden({ isUserOfUnits, user }: Host, path: string): Finding {
  if (!isUserOfUnits || !user) return unseen(subject, `${currentUser().name} cannot see ${path}`)
  const blocker = blockerOf(user, path) ?? path
  return fail(subject, 'permission', `${path} cannot be reached by ${user.name}`, `sudo chmod a+x ${blocker}`)
}

function unreadableByUnits(host: Host, path: string, file: Stats): Finding | undefined {
  const { user, installation } = host
  if (!user || isLoadedBySystemd(installation)) return undefined
  const blocker = blockerOf(user, path)
  if (blocker === undefined) return undefined
  const who = `${user.name}, the user of the units`
  if (blocker !== path) {
    const detail = `${path} cannot be read by ${who}, because of the directory ${blocker}`
    return fail(subject, 'permission', detail, `sudo chmod a+x ${blocker}`)
  }
  const detail = `${path} (${described(file)}) cannot be read by ${who}`
  return fail(subject, 'permission', detail, repair(host, path))
}

/** The units work with such a file, but keys that everybody can read are everybody's. */
function checkMode(host: Host, path: string, file: Stats): Finding[] {
  const problems = [
    ...((file.mode & 0o004) === 0 ? [] : ['every user of this host can read it']),
    ...((file.mode & 0o022) === 0 ? [] : ['other users than its owner can change it']),
    ...(file.uid === 0 ? [] : [`${userName(file.uid)} can change it`]),
  ]
  if (problems.length === 0) return []
  return [warn(subject, `${path} (${described(file)}): ${problems.join(', ')}`, repair(host, path))]
}

function repair({ user, installation }: Host, path: string): string {
  const isForSystemd = isLoadedBySystemd(installation)
  const [group, mode] = isForSystemd ? ['root', '0600'] : [user?.name ?? 'imgpipe', '0640']
  return `sudo chown root:${group} ${path} && sudo chmod ${mode} ${path}, or install them again with "sudo imgpipe credentials"`
}

function described({ uid, mode }: Stats): string {
  return `owner ${userName(uid)}, mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`
}

function checkKeys(path: string, section: Section | undefined, now: number): Finding[] {
  const { aws_access_key_id: id, aws_session_token: token, [expiryKey]: expiry } = section?.values ?? {}
  if (id?.startsWith('ASIA') && !token) {
    const detail = `${path} holds temporary credentials without their session token`
    return [fail(subject, 'permission', detail, credentialsRemedy('rejected'))]
  }
  const leftMs = Date.parse(expiry ?? '') - now
  if (Number.isNaN(leftMs) || leftMs > minLeftMs) return []
  const remedy = credentialsRemedy('expired')
  if (leftMs <= 0) return [fail(subject, 'permission', `the credentials in ${path} have expired`, remedy)]
  return [warn(subject, `the credentials in ${path} expire in ${Math.ceil(leftMs / minute)} minutes`, remedy)]
}
