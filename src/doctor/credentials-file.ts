import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Environment } from '../aws/clients.ts'
import { credentialsRemedy } from '../aws/explain.ts'
import { parseSharedCredentials, type SharedCredentials, sectionOf } from '../aws/shared-credentials.ts'
import { findInstallation } from '../host/installation.ts'
import { currentUser, type Owner, userName } from '../host/users.ts'
import { type Finding, fail, unseen, warn } from './finding.ts'

const subject = 'credentials'
const indirectKey = /^(credential_|source_profile|role_arn|sso_|web_identity_|login_)/

/** @returns the shared credentials file that the AWS SDK reads */
export function credentialsFile(environment: Environment): string {
  return environment.AWS_SHARED_CREDENTIALS_FILE || join(environment.HOME || homedir(), '.aws', 'credentials')
}

export function readCredentialsFile(path: string): SharedCredentials | 'unreadable' | undefined {
  try {
    return parseSharedCredentials(readFileSync(path, 'utf8'))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    return code === 'EACCES' || code === 'EPERM' ? 'unreadable' : undefined
  }
}

/** Why there are no credentials. The SDK only says that no provider has any. */
export function explainMissing(environment: Environment): Finding {
  const path = credentialsFile(environment)
  const file = readCredentialsFile(path)
  if (file === 'unreadable') return unreadable(path)
  const elsewhere = 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to the instance'
  const isInstalled = findInstallation(environment) !== undefined
  if (file === undefined) {
    const detail = `no AWS credentials: neither in the environment nor in ${path}, and no instance role`
    const remedy = isInstalled ? credentialsRemedy('missing') : `put them into ${path}, ${elsewhere}`
    return fail(subject, 'permission', detail, remedy)
  }
  const detail = `the AWS SDK finds no credentials in ${path}`
  const remedy = isInstalled ? credentialsRemedy('missing') : `check it, ${elsewhere}`
  return checkContent(path, file, environment) ?? fail(subject, 'permission', detail, remedy)
}

/** @returns why the AWS SDK finds no keys for the profile in the file; undefined when it finds them */
export function checkContent(
  path: string,
  file: SharedCredentials,
  environment: Environment,
): Finding | undefined {
  const profile = environment.AWS_PROFILE || 'default'
  const section = sectionOf(file, profile)
  const isInstalled = findInstallation(environment) !== undefined
  const better = isInstalled ? `, or paste the block again with "sudo imgpipe credentials"` : ''
  // A section that gets its keys from elsewhere: credential_process, source_profile, sso_session and so on.
  const isIndirect = Object.keys(section?.values ?? {}).some((key) => indirectKey.test(key))
  const missing = ['aws_access_key_id', 'aws_secret_access_key'].filter((key) => !section?.values[key])
  if (section && (missing.length === 0 || isIndirect)) return undefined
  if (file.shellLines.length > 0) {
    const detail = `${path}: line ${file.shellLines[0]} is one for a shell ("export", "set"), which the AWS SDK ignores`
    const remedy = isInstalled
      ? 'paste the block with "sudo imgpipe credentials", which understands it'
      : `write lines such as aws_access_key_id=… below a line [${profile}]`
    return fail(subject, 'permission', detail, remedy)
  }
  if (!section) {
    const remedy = `add the line [${profile}] above the keys${environment.AWS_PROFILE ? ', or unset AWS_PROFILE' : ''}${better}`
    return fail(subject, 'permission', `${path} has no [${profile}] section`, remedy)
  }
  const detail = `the section [${profile}] of ${path} has no ${missing.join(' and no ')}`
  const remedy = `copy the access key, the secret key and the session token again${better}`
  return fail(subject, 'permission', detail, remedy)
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

function unreadable(path: string): Finding {
  const owner = statSync(path, { throwIfNoEntry: false })
  const me = currentUser().name
  const whose = owner ? `, which belongs to ${userName(owner.uid)}` : ''
  return unseen(subject, `${me} cannot read ${path}${whose}`)
}
