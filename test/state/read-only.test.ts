import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StateDatabase } from '../../src/state/database.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { canRunAsNobody, result, Script } from './script.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'imgpipe-read-only-'))
  chmodSync(directory, 0o755)
  path = join(directory, 'reader.sqlite')
})

afterEach(async () => {
  await Script.killAll()
  rmSync(directory, { recursive: true, force: true })
})

/** Writes ten rows, which stay in the WAL, and keeps the database open. */
async function startWriter(then = 'setInterval(() => undefined, 1000)'): Promise<Script> {
  const script = new Script(`
    const database = await openDatabase('${path}', 'CREATE TABLE items (n)')
    for (let n = 0; n < 10; n++) await database.commit(() => database.prepare('INSERT INTO items VALUES (?)').run(n))
    report('written')
    ${then}
  `)
  expect(await script.next()).toBe('written')
  return script
}

const count = (file: string) => `
  const { StateDatabase } = await load('state/database.ts')
  try {
    const database = StateDatabase.openReadOnly('${file}')
    report(database ? database.prepare('SELECT count(*) AS rows FROM items').get().rows : 'no database')
    await database?.close()
  } catch (error) { report(failure(error)) }
`

const isNobodyThere = canRunAsNobody()

describe.each([
  ['the owner', undefined],
  ['another user', 'nobody'],
] as const)('read by %s', (_, user) => {
  beforeEach((context) => {
    if (user && !isNobodyThere) context.skip('processes of another user cannot be started here')
  })

  const read = (file = path) => result(count(file), user && { user })

  test('while the worker runs', async () => {
    await startWriter()
    expect(await read()).toBe(10)
  })

  test('after the worker was killed, with what is only in the WAL', async () => {
    const writer = await startWriter()
    await writer.kill()
    expect(statSync(path).size).toBe(4096)
    expect(await read()).toBe(10)
  })

  test('after the worker has ended', async () => {
    const writer = await startWriter('await database.close()')
    expect(await writer.next()).toBeUndefined()
    expect(readdirSync(directory)).toEqual(['reader.sqlite'])
    expect(await read()).toBe(10)
    await startWriter()
    expect(await read()).toBe(20)
  })

  test('before there is anything', async () => {
    expect(await read()).toBe('no database')
    expect(await read(join(directory, 'missing', 'reader.sqlite'))).toBe('no database')
    const writer = await startWriter('await database.close()')
    expect(await writer.next()).toBeUndefined()
    truncateSync(path)
    expect(await read()).toBe('no database')
  })
})

test('who may write the directory, but not the file, leaves nothing there that would lock the worker out', async (context) => {
  if (!isNobodyThere) return context.skip('processes of another user cannot be started here')
  const writer = await startWriter('await database.close()')
  expect(await writer.next()).toBeUndefined()
  chmodSync(directory, 0o777)
  expect(await result(count(path), { user: 'nobody' })).toBe(10)
  expect(readdirSync(directory)).toEqual(['reader.sqlite'])
})

test('root leaves files that the worker can use', async (context) => {
  if (!isNobodyThere) return context.skip('processes of another user cannot be started here')
  const writer = await startWriter('await database.close()')
  expect(await writer.next()).toBeUndefined()
  for (const file of [directory, path]) chownSync(file, 65534, 65534)
  expect(await result(count(path))).toBe(10)
  const source = `
    const database = await openDatabase('${path}', '')
    report((await database.commit(() => database.prepare('INSERT INTO items VALUES (11)').run())).changes)
  `
  expect(await result(source, { user: 'nobody' })).toBe(1)
})

test('who may not read is told what to do', async (context) => {
  if (!isNobodyThere) return context.skip('processes of another user cannot be started here')
  const writer = await startWriter()
  const denied = (why: string) => ({
    reason: 'permission',
    message: expect.stringMatching(`^${path} cannot be read.+${why}.+: run the command as root`),
  })
  chmodSync(path, 0o600)
  expect(await result(count(path), { user: 'nobody' })).toEqual(denied('EACCES'))
  chmodSync(path, 0o644)
  chmodSync(directory, 0o700)
  expect(await result(count(path), { user: 'nobody' })).toEqual(denied('EACCES'))

  // Somebody copied the file and its WAL only.
  chmodSync(directory, 0o755)
  await writer.kill()
  rmSync(`${path}-shm`)
  expect(await result(count(path), { user: 'nobody' })).toEqual(
    denied('until its worker has been started again'),
  )
  expect(await result(count(path))).toBe(10)
})

test('on a disk that has become read-only', async (context) => {
  const disk = SmallDisk.mount(join(directory, 'disk'), 4096)
  if (!disk) return context.skip('file systems cannot be mounted here')
  path = join(disk.path, 'reader.sqlite')
  try {
    const writer = await startWriter('await database.close()')
    expect(await writer.next()).toBeUndefined()
    disk.makeReadOnly()
    expect(await result(count(path))).toBe(10)
  } finally {
    disk.unmount()
  }
})

test('a reader that takes its time does not disturb the worker', async () => {
  const writer = await startWriter(`
    await database.commit(() => { for (let n = 0; n < 20000; n++) database.prepare('INSERT INTO items VALUES (?)').run('x'.repeat(1000)) })
    report('more')
    await database.close()
    report('closed')
  `)
  const database = StateDatabase.openReadOnly(path)
  const rows = database?.prepare('SELECT n FROM items').iterate()
  rows?.next()
  expect(await writer.next()).toBe('more')
  expect(await writer.next()).toBe('closed')
  await database?.close()
  expect(await result(count(path))).toBe(20010)
})

test('nothing can be written', async () => {
  const writer = await startWriter('await database.close()')
  expect(await writer.next()).toBeUndefined()
  const database = StateDatabase.openReadOnly(path)
  await expect(database?.commit(() => undefined)).rejects.toThrow('open for reading only')
  expect(() => database?.prepare('DELETE FROM items').run()).toThrow('readonly')
  await database?.close()
})
