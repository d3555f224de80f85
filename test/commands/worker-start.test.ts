import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { openDatabase, temporaryDirectory } from '../status/state-fixture.ts'
import { SmallDisk } from '../support/small-disk.ts'
import { killLeftWorkers, WorkerProcess } from '../support/worker-process.ts'

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** A worker that nothing answers: what happens before that is tested here. */
function start(words: string[], stateDir: string): WorkerProcess {
  const environment = {
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    IMGPIPE_STATE_DIR: stateDir,
  }
  return WorkerProcess.start({ arguments: words, environment })
}

describe('a worker whose disk is full when it starts', () => {
  it.for([
    { words: ['detect'], code: 75, last: /Interrupted before the run started; start again\.\n$/ },
    { words: ['read'], code: 0, last: /disk full.*\n$/ },
  ])('waits for space, reports it, and can be stopped: $words', async ({ words, code, last }, context) => {
    const directory = join(temporaryDirectory(), 'disk')
    const disk = SmallDisk.mount(directory)
    if (!disk) return context.skip('file systems cannot be mounted here')
    onTestFinished(() => disk.unmount())
    disk.fill()
    const worker = start(words, directory)
    await worker.said(/WARN disk full, cannot write .*\.sqlite: waiting for free space\n/)
    expect(await worker.stop()).toEqual({ code, signal: null })
    expect(worker.log).toMatch(last)
  })
})

it('a worker whose disk has no room for its lock waits for it too', async (context) => {
  const directory = join(temporaryDirectory(), 'disk')
  const disk = SmallDisk.mount(directory, 256, 1)
  if (!disk) return context.skip('file systems cannot be mounted here')
  onTestFinished(() => disk.unmount())
  const worker = start(['read'], directory)
  await worker.said(/WARN disk full, cannot write .*disk: waiting for free space\n/)
  expect(await worker.stop()).toEqual({ code: 0, signal: null })
  expect(worker.log).not.toContain('recovered')
})

it.each([
  { words: ['detect'], code: 75 },
  { words: ['read'], code: 0 },
  { words: ['plan'], code: 130 },
])('a command that waits for a service is stopped by SIGTERM with $code: $words', async ({ words, code }) => {
  const worker = start(words, temporaryDirectory())
  await worker.said(/retrying/)
  expect(await worker.stop()).toEqual({ code, signal: null })
})

it('a database of another version ends the worker with the remedy', async () => {
  const stateDir = temporaryDirectory()
  const database = await openDatabase(stateDir, 'reader')
  await database.commit(() => database.prepare('PRAGMA user_version = 1000').run())
  await database.close()
  const worker = start(['read'], stateDir)
  expect(await worker.exited).toEqual({ code: 74, signal: null })
  expect(worker.log).toMatch(/^imgpipe: The database .*another version.*move it away/)
})

describe('the sentences that end a program', () => {
  /** Runs it with standard error in a file. @param connect whether JOURNAL_STREAM names that file */
  async function errorsOf(connect: boolean): Promise<string[]> {
    const path = join(temporaryDirectory(), 'stderr')
    const file = openSync(path, 'w')
    const { dev, ino } = fstatSync(file)
    const child = spawn(process.execPath, [cli, 'read'], {
      env: {
        IMGPIPE_MIN_CONFIDENCE: 'high',
        IMGPIPE_BUCKET: 'X',
        JOURNAL_STREAM: connect ? `${dev}:${ino}` : '1:1',
      },
      stdio: ['ignore', 'ignore', file],
    })
    const [code] = await once(child, 'close')
    closeSync(file)
    expect(code).toBe(78)
    return readFileSync(path, 'utf8').trimEnd().split('\n')
  }

  it('have the priority of errors in the journal, line by line', async () => {
    const lines = await errorsOf(true)
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(line).toMatch(/^<3>/)
  })

  it('have none elsewhere, whatever the environment was inherited from', async () => {
    for (const line of await errorsOf(false)) expect(line).not.toContain('<3>')
  })
})
