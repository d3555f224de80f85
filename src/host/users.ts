import { readFileSync, type Stats, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'

export interface Owner {
  readonly uid: number
  readonly gid: number
  readonly name: string
}

const passwdFile = '/etc/passwd'

/** @returns whose a file or directory is; undefined where it does not exist or may not be seen */
export function ownerOf(path: string): Owner | undefined {
  try {
    const { uid, gid } = statSync(path)
    return { uid, gid, name: userName(uid) }
  } catch {
    return undefined
  }
}

/** Also where the user has no name, as in many containers: there `userInfo` throws. */
export function currentUser(): Owner {
  const uid = process.geteuid?.() ?? userInfo().uid
  const gid = process.getegid?.() ?? userInfo().gid
  return { uid, gid, name: userName(uid) }
}

/** @returns the user's name; their number where it has none (passwd(5)) */
export function userName(uid: number): string {
  const name = passwdLines(passwdFile).find(([, , id]) => id === String(uid))?.[0]
  return name ?? `user ${uid}`
}

/** @returns the user of this name; undefined when there is none */
export function findUser(name: string, passwd = passwdFile): Owner | undefined {
  const [, , uid, gid] = passwdLines(passwd).find(([each]) => each === name) ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid), name }
}

function passwdLines(path: string): string[][] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.map((line) => line.split(':'))
  } catch {
    return []
  }
}

/**
 * Whether a user can read a file, by the modes of the file and of the directories above it. Access control lists are not
 * looked at.
 *
 * @returns the file or directory that keeps the user out; undefined when nothing does
 */
export function blockerOf(user: Owner, path: string): string | undefined {
  const closed = directoriesAbove(path).findLast((directory) => !canEnter(user, directory))
  if (closed !== undefined) return closed
  const file = statOf(path)
  return file && !allows(file, user, 4) ? path : undefined
}

function canEnter(user: Owner, directory: string): boolean {
  const stats = statOf(directory)
  return stats !== undefined && allows(stats, user, 1)
}

function directoriesAbove(path: string): string[] {
  const above = dirname(path)
  return above === path ? [] : [above, ...directoriesAbove(above)]
}

/** The kernel's rule: the owner's bits hold for the owner alone, then those of the group, then those of all others. */
function allows({ uid, gid, mode }: Stats, user: Owner, bit: 1 | 4): boolean {
  if (user.uid === 0) return true
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
  return ((mode >> shift) & bit) !== 0
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
