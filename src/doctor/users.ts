import { readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'

export interface Owner {
  readonly uid: number
  readonly gid: number
  readonly name: string
}

/** @returns whose a file or directory is; undefined where it does not exist or may not be seen */
export function ownerOf(path: string): Owner | undefined {
  try {
    const { uid, gid } = statSync(path)
    return { uid, gid, name: userName(uid) }
  } catch {
    return undefined
  }
}

export function currentUser(): Owner {
  const { uid, gid } = userInfo()
  return { uid, gid, name: userName(uid) }
}

/** @returns the user's name; their number where it has none (passwd(5)) */
export function userName(uid: number): string {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
    const line = lines.find((each) => each.split(':')[2] === String(uid))
    return line?.split(':')[0] ?? `user ${uid}`
  } catch {
    return `user ${uid}`
  }
}
