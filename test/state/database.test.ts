import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { pauseAfterCommit, StateDatabase, type StateDatabaseOptions } from '../../src/state/database.ts'
import { Script } from './script.ts'

let directory: string
let path: string
let databases: StateDatabase[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'imgpipe-database-'))
  chmodSync(directory, 0o755)
  path = join(directory, 'reader.sqlite')
  databases = []
})

afterEach(async () => {
  await Script.killAll()
  for (const database of databases) await database.close()
  rmSync(directory, { recursive: true, force: true })
})

const schema = `
  CREATE TABLE items (n INTEGER PRIMARY KEY, text TEXT NOT NULL);
  -- the last line is a comment`

async function openDatabase(options: Partial<StateDatabaseOptions> = {}): Promise<StateDatabase> {
  const waitForSpace = () => Promise.reject(new Error('the disk is not full'))
  const database = await StateDatabase.open({ path, schema, version: 3, waitForSpace, ...options })
  databases.push(database)
  return database
}

function insert(database: StateDatabase, n: number, text = 'x'): void {
  database.prepare('INSERT INTO items VALUES (?, ?)').run(n, text)
}

function numbers(database: StateDatabase): unknown[] {
  const rows = database.prepare('SELECT n FROM items ORDER BY n').all()
  return rows.map((row) => row.n)
}

function spin(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

test('writes run in order, and their results come when they are committed', async () => {
  const database = await openDatabase()
  const events: string[] = []
  const write = (n: number) =>
    database
      .commit(() => {
        events.push(`run ${n}`)
        insert(database, n)
        return n * 10
      })
      .then((result) => events.push(`durable ${result}`))
  await Promise.all([write(1), write(2), write(3)])
  expect(events).toEqual(['run 1', 'run 2', 'run 3', 'durable 10', 'durable 20', 'durable 30'])
  expect(numbers(database)).toEqual([1, 2, 3])
})

test('a group that takes long is split, so that the event loop gets its turn', async () => {
  const database = await openDatabase()
  const events: string[] = []
  const write = (n: number) =>
    database
      .commit(() => {
        events.push(`run ${n}`)
        spin(25)
      })
      .then(() => events.push(`durable ${n}`))
  await Promise.all([write(1), write(2)])
  expect(events).toEqual(['run 1', 'durable 1', 'run 2', 'durable 2'])
})

test('between two commits others have the event loop four times as long as the first one took', async () => {
  const database = await openDatabase()
  const events: string[] = []
  await database.commit(() => spin(40))
  setTimeout(() => events.push('others'), 80)
  await database.commit(() => events.push('commit'))
  expect(events).toEqual(['others', 'commit'])
})

test.each([
  [0.3, 10],
  [5, 20],
  [30, 120],
  [62.5, 250],
  [5000, 250],
])('a commit of %d ms is followed by a pause of %d ms', (commitMs, pauseMs) => {
  expect(pauseAfterCommit(commitMs)).toBe(pauseMs)
})

test('a write that throws fails alone', async () => {
  const database = await openDatabase()
  const outcomes = await Promise.allSettled([
    database.commit(() => insert(database, 1)),
    database.commit(() => {
      insert(database, 2)
      throw new TypeError('a mistake')
    }),
    database.commit(() => insert(database, 1)),
    database.commit(() => database.prepare('INSERT INTO nowhere VALUES (1)').run()),
    database.commit(() => insert(database, 3)),
  ])
  expect(outcomes.map((outcome) => ('reason' in outcome ? String(outcome.reason) : 'committed'))).toEqual([
    'committed',
    'TypeError: a mistake',
    'Error: UNIQUE constraint failed: items.n',
    'Error: no such table: nowhere',
    'committed',
  ])
  expect(numbers(database)).toEqual([1, 3])
})

test('a write that ends its transaction fails, and takes no other write out of it', async () => {
  const database = await openDatabase()
  const outcomes = await Promise.allSettled([
    database.commit(() => insert(database, 1)),
    database.commit(() => database.prepare('ROLLBACK').run()),
    database.commit(() => insert(database, 2)),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(numbers(database)).toEqual([1, 2])
})

test('closing commits what is pending; afterwards nothing is accepted', async () => {
  const database = await openDatabase()
  const durable = Promise.all(
    Array.from({ length: 10 }, (_, n) => database.commit(() => insert(database, n))),
  )
  await Promise.all([database.close(), database.close()])
  await durable
  expect(existsSync(`${path}-wal`)).toBe(false)
  await expect(database.commit(() => undefined)).rejects.toThrow('is closed')
  expect(numbers(await openDatabase())).toHaveLength(10)
})

test('commits are synced to the disk, the WAL is short and the memory bounded', async () => {
  const database = await openDatabase()
  const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0]
  const names = [
    'journal_mode',
    'synchronous',
    'cache_size',
    'wal_autocheckpoint',
    'foreign_keys',
    'user_version',
  ]
  expect(names.map(pragma)).toEqual(['wal', 2, -8000, 1000, 0, 3])
})

test('all files can be read by every user, whatever the umask', async () => {
  const script = new Script(`
    process.umask(0o077)
    const database = await openDatabase('${path}', 'CREATE TABLE items (n)')
    await database.commit(() => database.prepare('INSERT INTO items VALUES (1)').run())
    report('written')
    setInterval(() => undefined, 1000)
  `)
  expect(await script.next()).toBe('written')
  const modes = ['', '-wal', '-shm'].map((suffix) => statSync(`${path}${suffix}`).mode & 0o777)
  expect(modes).toEqual([0o644, 0o644, 0o644])
})

test('kill -9 at any moment: what was acknowledged is there, once, and the next start goes on', async () => {
  for (let kills = 1; kills <= 5; kills++) {
    const script = new Script(`
      const database = await openDatabase('${path}', \`${schema}\`)
      let n = database.prepare('SELECT coalesce(max(n), 0) AS n FROM items').get().n
      const write = async () => {
        const mine = ++n
        await database.commit(() => database.prepare('INSERT INTO items VALUES (?, ?)').run(mine, 'x'.repeat(1000)))
        report(mine)
      }
      for (;;) await Promise.all(Array.from({ length: 14 }, write))
    `)
    const acknowledged: unknown[] = []
    while (acknowledged.length < 20 * kills) acknowledged.push(await script.next())
    await script.kill()
    for (let late = await script.next(); late !== undefined; late = await script.next())
      acknowledged.push(late)
    const database = await openDatabase()
    expect(numbers(database)).toEqual(expect.arrayContaining(acknowledged))
    expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    await database.close()
  }
})

async function makeDatabase(rows: number): Promise<void> {
  const database = await openDatabase()
  await database.commit(() => {
    for (let n = 0; n < rows; n++) insert(database, n, 'x'.repeat(500))
  })
  await database.close()
}

async function overwrite(position: number, bytes: number): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(bytes, 0xa5), 0, bytes, position)
  await file.close()
}

const corrupt = () => `The database ${path} is corrupt (`
const remedy = () =>
  `: move it away together with ${path}-wal and ${path}-shm, and start again: what it held is paid for again.`

test.each<[string, () => void | Promise<void>]>([
  ['garbage over its header', () => overwrite(0, 100)],
  ['garbage over its schema', () => overwrite(110, 3986)],
  ['half of its length', () => truncateSync(path, 4096 * 30)],
  ['text in its place', () => writeFileSync(path, 'this is not a database\n'.repeat(1000))],
])('a database with %s is not used: the error names the file and the remedy', async (_, damage) => {
  await makeDatabase(500)
  await damage()
  const error = { reason: 'disk', exitCode: 74, message: expect.stringContaining(corrupt()) }
  await expect(openDatabase()).rejects.toMatchObject(error)
  await expect(openDatabase()).rejects.toThrow(remedy())
  expect(() => StateDatabase.openReadOnly(path)).toThrow(expect.objectContaining(error))
})

test('a page that turns out to be corrupt later fails the reading, and the writes of the group', async () => {
  await makeDatabase(500)
  await overwrite(4096, 4096)
  const database = await openDatabase()
  expect(() => database.read(() => numbers(database))).toThrow(corrupt())
  const writes = [1000, 1001].map((n) => database.commit(() => insert(database, n)))
  const outcomes = await Promise.allSettled(writes)
  const error = { status: 'rejected', reason: { reason: 'disk', message: expect.stringContaining(remedy()) } }
  expect(outcomes).toMatchObject([error, error])
})

test('read passes other errors on', async () => {
  const database = await openDatabase()
  expect(() => database.read(() => database.prepare('SELECT * FROM nowhere'))).toThrow(
    /^no such table: nowhere$/,
  )
})

test('after the corrupt file alone was moved away, its WAL spoils nothing', async () => {
  const script = new Script(`
    const database = await openDatabase('${path}', \`${schema}\`)
    await database.commit(() => database.prepare("INSERT INTO items VALUES (1, 'old')").run())
    report('written')
    setInterval(() => undefined, 1000)
  `)
  expect(await script.next()).toBe('written')
  await script.kill()
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0)
  rmSync(path)
  expect(numbers(await openDatabase())).toEqual([])
})

test('another schema version is not used, and the schema is executed only once', async () => {
  await makeDatabase(1)
  const message = `The database ${path} is of another version of imgpipe (schema 3, this version needs 4)${remedy()}`
  await expect(openDatabase({ version: 4 })).rejects.toMatchObject({ reason: 'disk', message })
  expect(() => StateDatabase.openReadOnly(path, 4)).toThrow(
    expect.objectContaining({ reason: 'disk', message }),
  )
  expect(numbers(await openDatabase({ schema: 'this is no SQL' }))).toEqual([0])
})

test("somebody else's database is left as it is", async () => {
  const other = new DatabaseSync(path)
  other.exec('CREATE TABLE theirs (value TEXT)')
  other.close()
  await expect(openDatabase()).rejects.toThrow(
    'is of another version of imgpipe (schema 0, this version needs 3)',
  )
})

test('a directory that does not exist', async () => {
  path = join(directory, 'missing', 'reader.sqlite')
  const message = expect.stringMatching(/^The database \S+ cannot be used \(ENOENT.+\): check the disk/)
  await expect(openDatabase()).rejects.toMatchObject({ reason: 'disk', message })
})

describe('another program that locks the database', () => {
  async function lock(): Promise<Script> {
    const script = new Script(`
      import { DatabaseSync } from 'node:sqlite'
      const database = new DatabaseSync('${path}')
      database.exec('BEGIN IMMEDIATE')
      report('locked')
      setInterval(() => undefined, 1000)
    `)
    expect(await script.next()).toBe('locked')
    return script
  }

  it('is waited for: the writes are committed once, when it has ended', async () => {
    const waits: unknown[] = []
    let script: Script | undefined
    const waitForSpace = async (...wait: unknown[]) => {
      waits.push(wait)
      await script?.kill()
      return 'retry' as const
    }
    const database = await openDatabase({ waitForSpace })
    script = await lock()
    await Promise.all([1, 2].map((n) => database.commit(() => insert(database, n))))
    expect(numbers(database)).toEqual([1, 2])
    expect(waits).toEqual([[path, 'locked']])
  })

  it('is named as the cause when a shutdown ends the waiting', async () => {
    const database = await openDatabase({ waitForSpace: async () => 'stop' })
    const script = await lock()
    const message = expect.stringContaining('is locked by another program')
    await expect(database.commit(() => insert(database, 1))).rejects.toMatchObject({
      reason: 'disk',
      message,
    })
    await script.kill()
    await database.commit(() => insert(database, 1))
    expect(numbers(database)).toEqual([1])
  })
})
