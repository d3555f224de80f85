import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { StateDatabase } from '../../src/state/database.ts'
import { SmallDisk } from '../support/small-disk.ts'

let directory: string
let disk: SmallDisk
let path: string
let databases: StateDatabase[]
/** how often the database has waited for space */
let waits: number
let atWait: () => 'retry' | 'stop'

beforeEach((context) => {
  directory = mkdtempSync(join(tmpdir(), 'imgpipe-full-disk-'))
  const mounted = SmallDisk.mount(join(directory, 'disk'), 1024)
  if (!mounted) return context.skip('file systems cannot be mounted here')
  disk = mounted
  path = join(disk.path, 'reader.sqlite')
  databases = []
  waits = 0
  atWait = makeRoom
})

afterEach(async () => {
  atWait = () => 'stop'
  for (const database of databases) await database.close()
  disk?.unmount()
  rmSync(directory, { recursive: true, force: true })
})

function makeRoom(): 'retry' {
  if (waits === 3) disk.makeRoom()
  return 'retry'
}

async function openDatabase(): Promise<StateDatabase> {
  const database = await StateDatabase.open({
    path,
    schema: 'CREATE TABLE items (n INTEGER PRIMARY KEY, text TEXT NOT NULL)',
    version: 1,
    waitForSpace: async (full) => {
      expect(full).toBe(path)
      waits++
      return atWait()
    },
  })
  databases.push(database)
  return database
}

function insert(database: StateDatabase, n: number): Promise<unknown> {
  return database.commit(() => database.prepare('INSERT INTO items VALUES (?, ?)').run(n, 'x'.repeat(10_000)))
}

const first = Array.from({ length: 14 }, (_, n) => n)
const fullDisk = {
  reason: 'disk',
  message: expect.stringMatching(/is full, \S+ cannot grow .+free some space/),
}

function rows(database: StateDatabase): unknown[] {
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  return database
    .prepare('SELECT n FROM items')
    .all()
    .map(({ n }) => n)
}

test('writes wait for space and are committed once, with those that came meanwhile', async () => {
  const database = await openDatabase()
  disk.fill()
  const later: Promise<unknown>[] = []
  atWait = () => {
    later.push(insert(database, 100 + waits))
    return makeRoom()
  }
  await Promise.all(first.map((n) => insert(database, n)))
  await Promise.all(later)
  expect(waits).toBe(3)
  expect(rows(database)).toEqual([...first, 101, 102, 103])
})

test('a transaction too large for the disk while it runs is rolled back and run again', async () => {
  const database = await openDatabase()
  database.prepare('PRAGMA cache_size = 10').get()
  disk.fill()
  await Promise.all(first.map((n) => insert(database, n)))
  expect(waits).toBe(3)
  expect(rows(database)).toEqual(first)
})

test('a new database waits for space', async () => {
  disk.fill()
  const database = await openDatabase()
  expect(waits).toBe(3)
  await insert(database, 1)
  expect(rows(database)).toEqual([1])
})

test('a database that exists waits for space when it is opened', async () => {
  const database = await openDatabase()
  await insert(database, 1)
  await database.close()
  disk.fill()
  expect(rows(await openDatabase())).toEqual([1])
  expect(waits).toBe(3)
})

test('a shutdown ends the waiting: writes are rejected, and nothing of them stays', async () => {
  const database = await openDatabase()
  disk.fill()
  atWait = () => 'stop'
  const outcomes = await Promise.allSettled(first.map((n) => insert(database, n)))
  expect(outcomes).toMatchObject(first.map(() => ({ status: 'rejected', reason: fullDisk })))
  expect(waits).toBe(1)
  disk.makeRoom()
  await insert(database, 1)
  expect(rows(database)).toEqual([1])
})

test('a shutdown ends the waiting of a start', async () => {
  disk.fill()
  atWait = () => 'stop'
  await expect(openDatabase()).rejects.toMatchObject(fullDisk)
})

test('closing with writes that find no space ends when the waiting does', async () => {
  const database = await openDatabase()
  disk.fill()
  const write = insert(database, 1)
  await Promise.all([database.close(), write])
  expect(waits).toBe(3)
  expect(rows(await openDatabase())).toEqual([1])
})

test('looking for space leaves no file behind', async () => {
  const database = await openDatabase()
  await database.close()
  disk.fill()
  await openDatabase()
  expect(readdirSync(disk.path).filter((name) => name.includes('probe'))).toEqual([])
})
