import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ImgpipeError } from '../../src/host/exit-codes.ts'
import { isLocked, lockStateDirectory, type StateLock } from '../../src/state/lock.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { canRunAsNobody, result, Script } from './script.ts'

let directory: string
let locks: StateLock[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'imgpipe-lock-'))
  chmodSync(directory, 0o755)
  locks = []
})

afterEach(async () => {
  await Script.killAll()
  for (const lock of locks) lock.release()
  rmSync(directory, { recursive: true, force: true })
})

function lock(stateDir = directory, role: 'detector' | 'reader' = 'reader'): void {
  locks.push(lockStateDirectory(stateDir, role))
}

function reasonOf(work: () => void): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error instanceof ImgpipeError ? error.reason : String(error)
  }
}

const lockPath = () => join(directory, 'reader.lock')

function holder(stateDir = directory): string {
  return `
    const { lockStateDirectory } = await load('state/lock.ts')
    lockStateDirectory('${stateDir}', 'reader')
    globalThis.gc?.()
    setTimeout(() => { globalThis.gc?.(); report('locked') }, 10)
    setInterval(() => undefined, 1000)
  `
}

test('a second worker of the role is kept out until the first one ends, however it ends', async () => {
  // Nothing refers to the lock in the holder, and its garbage is collected.
  const first = new Script(holder(), { flags: ['--expose-gc'] })
  expect(await first.next()).toBe('locked')
  expect(isLocked(directory, 'reader')).toBe(true)
  expect(reasonOf(lock)).toBe('interrupted')
  expect(() => lock()).toThrow(`Another imgpipe reader is already running on ${directory}: stop it first`)

  await first.kill()
  expect(isLocked(directory, 'reader')).toBe(false)
  lock()
  expect(isLocked(directory, 'reader')).toBe(true)
  expect(await result(`report((await load('state/lock.ts')).isLocked('${directory}', 'reader'))`)).toBe(true)
})

test('the lock holds against the process that has it, and asking about it takes nothing away', async () => {
  lock()
  expect(reasonOf(lock)).toBe('interrupted')
  expect(isLocked(directory, 'reader')).toBe(true)
  expect(await result(`report((await load('state/lock.ts')).isLocked('${directory}', 'reader'))`)).toBe(true)
})

test('a lock can be released, twice too, and taken again', () => {
  const first = lockStateDirectory(directory, 'reader')
  first.release()
  first.release()
  expect(isLocked(directory, 'reader')).toBe(false)
  lock()
})

test('roles and directories have locks of their own', () => {
  lock(directory, 'reader')
  lock(directory, 'detector')
  lock(join(directory, 'other'), 'reader')
  expect(isLocked(directory, 'detector')).toBe(true)
})

test('a directory that nobody has locked is not locked', () => {
  expect(isLocked(directory, 'reader')).toBe(false)
  expect(isLocked(join(directory, 'missing'), 'reader')).toBe(false)
})

test('the directory is created, and the lock file is private and stays empty', () => {
  const stateDir = join(directory, 'a', 'b')
  lock(stateDir)
  const { mode, size } = statSync(join(stateDir, 'reader.lock'))
  expect({ mode: mode & 0o777, size }).toEqual({ mode: 0o600, size: 0 })
  expect(readdirSync(stateDir)).toEqual(['reader.lock'])
})

test('somebody who looks for a moment does not make a start fail', async () => {
  writeFileSync(lockPath(), '')
  const probe = new Script(`
    import { DatabaseSync } from 'node:sqlite'
    const database = new DatabaseSync('${lockPath()}', { readOnly: true })
    database.exec('BEGIN; SELECT * FROM sqlite_schema')
    report('looking')
    setTimeout(() => database.close(), 100)
  `)
  expect(await probe.next()).toBe('looking')
  lock()
})

test.each([
  ['text', 'my own lock file\n'.repeat(100)],
  ['a few bytes', 'x'],
  ['zeros', '\0'.repeat(8192)],
])('a lock file that holds %s locks nobody out', (_, content) => {
  writeFileSync(lockPath(), content)
  expect(isLocked(directory, 'reader')).toBe(false)
  lock()
  expect(isLocked(directory, 'reader')).toBe(true)
})

test('what is written into the file of a running worker does not let a second one in', async () => {
  const first = new Script(holder())
  expect(await first.next()).toBe('locked')
  writeFileSync(lockPath(), 'garbage'.repeat(1000))
  expect(isLocked(directory, 'reader')).toBe(true)
  expect(reasonOf(lock)).toBe('interrupted')
})

test('a database with that name is as good as an empty file', () => {
  const database = new DatabaseSync(lockPath())
  database.exec('CREATE TABLE some (value TEXT)')
  database.close()
  lock()
  expect(reasonOf(lock)).toBe('interrupted')
})

test('a full disk is no obstacle', (context) => {
  const disk = SmallDisk.mount(join(directory, 'disk'))
  if (!disk) return context.skip('file systems cannot be mounted here')
  try {
    disk.fill()
    lock(disk.path)
    expect(isLocked(disk.path, 'reader')).toBe(true)
    for (const held of locks.splice(0)) held.release()
  } finally {
    disk.unmount()
  }
})

test.each(['/proc/no-such-directory/state', '/dev/null/state'])('%s cannot be created', (stateDir) => {
  expect(reasonOf(() => lock(stateDir))).toBe('disk')
  expect(() => lock(stateDir)).toThrow(`The state directory ${stateDir} cannot be used (`)
})

test('a directory in the place of the lock file', () => {
  mkdirSync(lockPath())
  expect(reasonOf(lock)).toBe('disk')
  expect(isLocked(directory, 'reader')).toBeUndefined()
})

test('another user can neither look nor lock', async (context) => {
  if (!canRunAsNobody()) return context.skip('processes of another user cannot be started here')
  lock()
  const source = `
    const { isLocked, lockStateDirectory } = await load('state/lock.ts')
    try { lockStateDirectory('${directory}', 'reader') } catch (error) { report([isLocked('${directory}', 'reader') ?? 'unknown', failure(error)]) }
  `
  const denied = { reason: 'disk', message: expect.stringContaining('permission denied') }
  expect(await result(source, { user: 'nobody' })).toEqual(['unknown', denied])
  chmodSync(directory, 0o777)
  expect(await result(source, { user: 'nobody' })).toEqual(['unknown', denied])
})
