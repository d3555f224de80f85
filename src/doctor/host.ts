import { fileURLToPath } from 'node:url'
import { type Installation, type UnitEnvironment, unitEnvironment } from '../host/installation.ts'
import { isLoadedBySystemd } from '../host/unit-drop-ins.ts'
import { blockerOf, currentUser, type Owner } from '../host/users.ts'
import { type Finding, fail, ok, unseen, warn } from './finding.ts'

const subject = 'environment'
const program = fileURLToPath(import.meta.url)

/** An installed host, seen as its units see it. */
export interface Host {
  readonly installation: Installation
  /** a further pipeline; undefined: the main one */
  readonly pipeline: string | undefined
  readonly unit: UnitEnvironment
  /** of the units; undefined when this host does not have it */
  readonly user: Owner | undefined
  /** the checks run as the user of the units: what they cannot read, the units cannot */
  readonly isUserOfUnits: boolean
}

/**
 * Gives this process the environment of the units, and, if it is root, their user: what it finds from then on is what they
 * find. All modules that are not readable by that user must have been loaded before.
 */
export function seeAsUnits(installation: Installation, pipeline: string | undefined): Host {
  const unit = unitEnvironment(installation, pipeline, process.env)
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, unit.variables)
  const { user } = installation
  // Where systemd reads the credentials file for them, only root can look into it.
  if (user && currentUser().uid === 0 && !isLoadedBySystemd(installation) && !blockerOf(user, program)) {
    process.setgroups?.([user.gid])
    process.setgid?.(user.gid)
    process.setuid?.(user.uid)
  }
  const isUserOfUnits = user !== undefined && user.uid !== 0 && currentUser().uid === user.uid
  return { installation, pipeline, unit, user, isUserOfUnits }
}

/** What the units' environment is made of. */
export function checkEnvironment({ unit, user }: Host): Finding[] {
  const hidden = unit.files.filter(({ isUnreadable }) => isUnreadable)
  if (hidden.length > 0) {
    const me = currentUser().name
    return hidden.map(({ path }) => unseen(subject, `${path} cannot be read by ${me}`))
  }
  const problems = unit.files.flatMap(({ path, exported, values }) => [
    ...(exported.length === 0 ? [] : [exportLines(path, exported)]),
    ...('AWS_ACCESS_KEY_ID' in values ? [fixedKeys(path)] : []),
  ])
  const noUser = user ? [] : [missingUser()]
  if (problems.length + noUser.length > 0) return [...noUser, ...problems]
  const names = unit.ignored.join(', ')
  const ignored = names === '' ? '' : `; not part of it: ${names} of this shell`
  return [ok(subject, `that of the units${ignored}`)]
}

function missingUser(): Finding {
  const detail = 'the user of the units, imgpipe, does not exist'
  return fail(subject, 'settings', detail, 'run deploy/install.sh again')
}

function exportLines(path: string, names: readonly string[]): Finding {
  const detail = `${path}: systemd ignores lines that begin with "export" (${names.join(', ')})`
  return warn(subject, detail, 'remove the word "export" from them')
}

function fixedKeys(path: string): Finding {
  const detail = `${path} holds AWS keys, which a running worker cannot renew`
  return warn(subject, detail, 'remove them there and install them with "sudo imgpipe credentials"')
}
