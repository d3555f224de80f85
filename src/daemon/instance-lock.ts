import { accessSync, constants, statSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { ImgpipeError } from './exit-codes.ts'
import { makeFolders } from './folders.ts'

/**
 * Makes this process the only `role` on `stateDir` until it ends, however it ends: the lock is a name in
 * Linux's abstract socket namespace (unix(7)), made of the folder's device and inode, which the kernel
 * gives back with the process. It leaves no file that could go stale.
 *
 * @throws {ImgpipeError} `settings` when another process holds it, `disk` when the folder cannot be made or written
 */
export async function lockStateDir(stateDir: string, role: 'detector' | 'reader'): Promise<Server> {
  makeFolder(stateDir)
  const server = createServer((socket) => socket.end()).unref()
  try {
    await listening(server, lockName(stateDir, role))
  } catch {
    throw new ImgpipeError(
      'settings',
      `Another imgpipe ${role} is already at work on ${stateDir}: stop it first, or give this one a stateDir of its own.`,
    )
  }
  return server
}

/** @returns whether a process of that role is at work on the folder */
export function isAtWork(stateDir: string, role: 'detector' | 'reader'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(lockName(stateDir, role))
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

function lockName(stateDir: string, role: 'detector' | 'reader'): string {
  const { dev, ino } = statSync(stateDir, { bigint: true, throwIfNoEntry: false }) ?? {}
  return `\0imgpipe-${role}-${dev}-${ino}`
}

function makeFolder(stateDir: string): void {
  try {
    makeFolders(stateDir)
    accessSync(stateDir, constants.W_OK | constants.X_OK)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new ImgpipeError(
      'disk',
      `The state folder ${stateDir} cannot be used (${why}): make it writable for this user, or set stateDir to another.`,
    )
  }
}

function listening(server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(name, resolve)
  })
}
