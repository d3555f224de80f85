import { chmodSync, chownSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { checkStateDirectory } from '../../src/doctor/state-directory.ts'
import { databasePath } from '../../src/state/role.ts'
import { canRunAsNobody, result, Script } from '../state/script.ts'
import {
  openDatabase,
  ReaderState,
  runId,
  temporaryDirectory,
  threeOutcomes,
} from '../status/state-fixture.ts'

const workers = ['detector', 'reader'] as const
const isRoot = process.getuid?.() === 0
const nobody = 65_534

afterAll(() => Script.killAll())

describe('a directory', () => {
  it('that does not exist will be created', async () => {
    expect(await checkStateDirectory(join(temporaryDirectory(), 'a', 'b'), workers)).toMatchObject([
      {
        verdict: 'ok',
        subject: 'state dir',
        detail: expect.stringMatching(/b will be created, \d+ [MG]B free$/),
      },
      { verdict: 'ok', subject: 'databases', detail: 'none yet: no worker has run here' },
    ])
  })

  it.each([
    ['/dev/null', { detail: '/dev/null is not a directory' }],
    ['/proc/imgpipe', { detail: expect.stringContaining('/proc/imgpipe cannot be written by') }],
  ])('that cannot be used: %s', async (stateDir, expected) => {
    expect(await checkStateDirectory(stateDir, workers)).toMatchObject([
      { verdict: 'fail', reason: 'disk', ...expected },
    ])
  })
})

describe('databases', () => {
  it('are read while the worker has them open', async () => {
    const stateDir = temporaryDirectory()
    await (await ReaderState.open(stateDir)).begin(runId(1), threeOutcomes())
    const [, databases] = await checkStateDirectory(stateDir, workers)
    expect(databases).toMatchObject({
      verdict: 'ok',
      detail: expect.stringMatching(/^reader\.sqlite is readable, \d+ kB$/),
    })
  })

  it('of the role only', async () => {
    const stateDir = temporaryDirectory()
    writeFileSync(databasePath(stateDir, 'detector'), 'no database, but long enough for one'.repeat(100))
    expect(await checkStateDirectory(stateDir, ['reader'])).toMatchObject([{}, { verdict: 'ok' }])
    expect(await checkStateDirectory(stateDir, ['detector'])).toMatchObject([{}, { verdict: 'fail' }])
  })

  it('that are corrupt fail, with a remedy', async () => {
    const stateDir = temporaryDirectory()
    const path = databasePath(stateDir, 'reader')
    const database = await openDatabase(stateDir, 'reader')
    await database.close()
    // All but the first page is lost, which opening alone does not show.
    const { size } = statSync(path)
    truncateSync(path, 4096)
    truncateSync(path, size)
    expect(await checkStateDirectory(stateDir, workers)).toMatchObject([
      { verdict: 'ok' },
      { verdict: 'fail', reason: 'disk', detail: expect.stringContaining(`${path} is corrupt`) },
    ])
  })
})

describe.runIf(isRoot)('files of another user (as root)', () => {
  it('are named', async () => {
    const stateDir = temporaryDirectory()
    chownSync(stateDir, nobody, nobody)
    for (const name of ['detector.lock', 'results.txt', 'notes']) writeFileSync(join(stateDir, name), '')
    mkdirSync(join(stateDir, 'runs', runId(1)), { recursive: true })
    chownSync(join(stateDir, 'results.txt'), nobody, nobody)
    expect(await checkStateDirectory(stateDir, workers)).toMatchObject([
      { verdict: 'ok' },
      {
        verdict: 'fail',
        subject: 'state files',
        reason: 'disk',
        detail: expect.stringContaining(
          `other users own detector.lock (root), runs (root), runs/${runId(1)} (root)`,
        ),
        remedy: `sudo chown -R ${nobody}:${nobody} ${stateDir}`,
      },
      { verdict: 'ok' },
    ])
  })

  it.runIf(canRunAsNobody()).each([
    [0o700, []],
    [
      0o755,
      [{ verdict: 'ok', subject: 'databases', detail: expect.stringContaining('reader.sqlite is readable') }],
    ],
  ])('a directory of another user is checked as far as it can be: mode %o', async (mode, databases) => {
    const stateDir = temporaryDirectory()
    await openDatabase(stateDir, 'reader')
    chmodSync(stateDir, mode)
    const findings = await result(
      `const { checkStateDirectory } = await load('doctor/state-directory.ts')
       report(await checkStateDirectory('${stateDir}', ['detector', 'reader']))`,
      { user: 'nobody' },
    )
    const detail = `not checked: ${stateDir} belongs to root; use "sudo -u root imgpipe doctor"`
    expect(findings).toEqual([{ verdict: 'skip', subject: 'state dir', detail }, ...databases])
  })
})
