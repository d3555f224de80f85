import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { databasePath } from '../../src/state/role.ts'
import { canRunAsNobody, Script } from '../state/script.ts'
import { runId, temporaryDirectory } from './state-fixture.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const nobody = 65_534

afterAll(() => Script.killAll())

/** Runs `imgpipe status --json` as a user who owns nothing here. */
async function statusAsNobody(stateDir: string) {
  const child = spawn(process.execPath, [cli, 'status', '--json'], {
    env: { IMGPIPE_STATE_DIR: stateDir },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(process.getuid?.() === 0 && { uid: nobody, gid: nobody }),
  })
  let [output, errors] = ['', '']
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const [code] = await once(child, 'close')
  return { code, errors, status: output === '' ? undefined : JSON.parse(output) }
}

/** A process that holds the reader's lock and writes a run, outcome by outcome, until it is told to do otherwise. */
function writer(stateDir: string, then: 'stay' | 'close'): Script {
  return new Script(`
    const { lockStateDirectory } = await load('state/lock.ts')
    const { StateDatabase } = await load('state/database.ts')
    const { ReaderRuns } = await load('state/reader-runs.ts')
    const { readerSchema: schema, schemaVersion: version } = await load('state/schema.ts')
    lockStateDirectory('${stateDir}', 'reader')
    const path = '${databasePath(stateDir, 'reader')}'
    const database = await StateDatabase.open({ path, schema, version, waitForSpace: async () => 'stop' })
    const runs = new ReaderRuns(database)
    const { seq } = await runs.begin('${runId(1)}')
    for (let n = 1; n <= 100; n++) {
      const outcome = { n, key: n + '.jpg', at: Date.now(), outcome: 'no-text' }
      await database.commit(() => runs.addOutcome(seq, outcome, 'asked'))
    }
    report('written')
    if ('${then}' === 'close') {
      await database.close()
      report('closed')
    }
    for (let i = 0; '${then}' === 'stay'; i++) {
      await database.commit(() => runs.setProgress(seq, { perSecond: i, waiting: undefined, requests: {} }))
    }
    setInterval(() => undefined, 1000)
  `)
}

describe.skipIf(!canRunAsNobody())('an unprivileged user sees', () => {
  const reader = { recorded: 100, texts: 0, failed: 0 }

  it('a run while its worker writes', async () => {
    const stateDir = temporaryDirectory()
    chmodSync(stateDir, 0o755)
    const script = writer(stateDir, 'stay')
    expect(await script.next()).toBe('written')
    const { code, errors, status } = await statusAsNobody(stateDir)
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    expect(status.reader.isRunning).toBeNull()
    expect(status.runs).toMatchObject([
      { run: runId(1), detector: null, reader: { ...reader, state: 'working' } },
    ])
  })

  it('a run whose worker has closed the database', async () => {
    const stateDir = temporaryDirectory()
    chmodSync(stateDir, 0o755)
    const script = writer(stateDir, 'close')
    expect([await script.next(), await script.next()]).toEqual(['written', 'closed'])
    await script.kill()
    const { code, status } = await statusAsNobody(stateDir)
    expect(code).toBe(0)
    expect(status.runs).toMatchObject([{ run: runId(1), reader }])
  })

  it('a run whose worker was killed', async () => {
    const stateDir = temporaryDirectory()
    chmodSync(stateDir, 0o755)
    const script = writer(stateDir, 'stay')
    expect(await script.next()).toBe('written')
    await script.kill()
    const { code, status } = await statusAsNobody(stateDir)
    expect(code).toBe(0)
    expect(status.runs).toMatchObject([{ run: runId(1), reader }])
  })

  it('why a state directory cannot be read', async () => {
    const stateDir = temporaryDirectory()
    chmodSync(stateDir, 0)
    onTestFinished(() => chmodSync(stateDir, 0o700))
    const { code, errors } = await statusAsNobody(stateDir)
    expect([code, errors]).toEqual([
      77,
      expect.stringMatching(/cannot be read .*EACCES.*run the command as root/),
    ])
  })
})
