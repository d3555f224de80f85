import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../aws/clients.ts'
import { type Finding, fail, skip, warn } from './finding.ts'
import { currentUser, type Owner, userName } from './users.ts'

const subject = 'credentials'

/** @returns the shared credentials file that the AWS SDK reads */
export function credentialsFile(environment: Environment): string {
  return environment.AWS_SHARED_CREDENTIALS_FILE || join(environment.HOME || homedir(), '.aws', 'credentials')
}

/** Why there are no credentials. The SDK only says that no provider has any. */
export function explainMissing(environment: Environment): Finding {
  const path = credentialsFile(environment)
  const content = read(path)
  if (content === 'unreadable') return unreadable(path)
  const elsewhere = 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to the instance'
  if (content === undefined) {
    const detail = `no AWS credentials: neither in the environment nor in ${path}, and no instance role`
    return fail(subject, 'permission', detail, `put them into ${path}, ${elsewhere}`)
  }
  const profile = environment.AWS_PROFILE || 'default'
  const keys = sectionOf(content.text, profile)
  if (keys === undefined) {
    const remedy = `add the line [${profile}] above the keys${environment.AWS_PROFILE ? ', or unset AWS_PROFILE' : ''}`
    return fail(subject, 'permission', `${path} has no [${profile}] section`, remedy)
  }
  const missing = ['aws_access_key_id', 'aws_secret_access_key'].filter((key) => !keys.includes(key))
  if (missing.length === 0) {
    return fail(
      subject,
      'permission',
      `the AWS SDK finds no credentials in ${path}`,
      `check it, ${elsewhere}`,
    )
  }
  const detail = `the section [${profile}] of ${path} has no ${missing.join(' and no ')}`
  return fail(
    subject,
    'permission',
    detail,
    'copy the access key, the secret key and the session token again',
  )
}

/** @returns what is wrong with the permissions of the file that the credentials come from; undefined when nothing is */
export function checkFilePermissions(path: string, worker: Owner | undefined): Finding | undefined {
  const file = statSync(path, { throwIfNoEntry: false })
  if (!file) return undefined
  const isForeign = worker !== undefined && worker.uid !== 0 && worker.uid !== currentUser().uid
  const isReadableByWorker = file.uid === worker?.uid || (file.mode & 0o044) !== 0
  if (isForeign && !isReadableByWorker) {
    const remedy = `sudo chown root:${worker.gid} ${path} && sudo chmod 640 ${path}`
    const detail = `${path} cannot be read by ${worker.name}, the user of the workers`
    return fail(subject, 'permission', detail, remedy)
  }
  if ((file.mode & 0o004) === 0) return undefined
  const mode = (file.mode & 0o777).toString(8)
  return warn(subject, `every user of this host can read ${path} (mode ${mode})`, `chmod o= ${path}`)
}

/** @returns whether the file is one's own, while the workers run as another user and read another file */
export function isOfAnotherUser(environment: Environment, worker: Owner | undefined): boolean {
  if (environment.AWS_SHARED_CREDENTIALS_FILE || worker === undefined || worker.uid === 0) return false
  return worker.uid !== currentUser().uid
}

function read(path: string): { text: string } | 'unreadable' | undefined {
  try {
    return { text: readFileSync(path, 'utf8') }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return code === 'EACCES' || code === 'EPERM' ? 'unreadable' : undefined
  }
}

function unreadable(path: string): Finding {
  const owner = statSync(path, { throwIfNoEntry: false })
  const me = currentUser().name
  const whose = owner ? `, which belongs to ${userName(owner.uid)}` : ''
  return skip(subject, `not checked: ${me} cannot read ${path}${whose}; use "sudo imgpipe doctor"`)
}

/** @returns the names that a section of an INI file sets; undefined when there is no such section */
function sectionOf(text: string, name: string): string[] | undefined {
  let keys: string[] | undefined
  let isInside = false
  for (const line of text.split(/\r?\n/)) {
    const header = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]/.exec(line)?.[1]
    if (header !== undefined) isInside = header === name
    if (!isInside) continue
    keys ??= []
    const key = /^\s*([\w.-]+)\s*=\s*\S/.exec(line)?.[1]
    if (key !== undefined) keys.push(key.toLowerCase())
  }
  return keys
}
