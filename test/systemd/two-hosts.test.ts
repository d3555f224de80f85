import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestCloud } from './support/cloud.ts'
import { until } from './support/command.ts'
import { configure, copyProject, giveCredentials, install } from './support/host.ts'
import { Machine } from './support/machine.ts'

/**
 * Two hosts with nothing in common but the cloud, from the first installation to the last trace removed. The
 * tests are the days of their life: each goes on where the one before has ended.
 */
let cloud: TestCloud
let a: Machine
let b: Machine

beforeAll(async () => {
  cloud = await TestCloud.start()
  ;[a, b] = await Promise.all([Machine.boot('imgpipe-a'), Machine.boot('imgpipe-b')])
  await Promise.all([copyProject(a), copyProject(b)])
})

afterAll(async () => {
  await Promise.all([a?.stop(), b?.stop()])
  await cloud?.stop()
})

/** Waits until B has published a run over this prefix, and returns its lines as somebody without rights sees them. */
function resultsOf(prefix: string): Promise<string[]> {
  return until(`results of ${prefix}`, async () => {
    const { status } = await b.try(`grep --quiet '^${prefix}' /var/lib/imgpipe/results.txt`)
    if (status !== 0) return undefined
    return (await b.asVisitor('cat /var/lib/imgpipe/results.txt')).trimEnd().split('\n')
  })
}

function setPrefix(prefix: string, more: object = {}): Promise<void> {
  return configure(a, cloud, { prefix, ...more })
}

describe('a first installation', () => {
  test('without settings and rights B is installed, its reader not running, and told what to do', async () => {
    const { status, stdout, stderr } = await install(b, '--role reader')
    expect(status, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/not ready yet/)
    expect(stdout).toMatch(/waiting for new credentials/)
    expect(stdout).toMatch(/sudo systemctl restart imgpipe-reader/)
  })

  test('with settings and rights B has a reader that is ready', async () => {
    await configure(b, cloud, {})
    await giveCredentials(b, 'FIRST')
    await b.sh('systemctl restart imgpipe-reader')
    expect(await b.property('imgpipe-reader', 'ActiveState')).toBe('active')
    expect(await b.property('imgpipe-reader', 'UnitFileState')).toBe('enabled')
  })

  test('A gets the detector, not the reader, and a timer that is off', async () => {
    const { status, stdout, stderr } = await install(a, '--role detector')
    expect(status, stdout + stderr).toBe(0)
    await giveCredentials(a, 'FIRST')
    expect(await a.property('imgpipe-detector.timer', 'UnitFileState')).toBe('disabled')
    expect(await a.property('imgpipe-reader.service', 'LoadState')).toBe('not-found')
  })
})

describe('runs', () => {
  test('one start on A, the exact result on B for everybody to read', async () => {
    const lines = await cloud.upload('first/', 12)
    await setPrefix('first/')
    await a.sh('systemctl start imgpipe-detector')
    expect(await resultsOf('first/')).toEqual(lines)
  })

  test('the log of a run without trouble holds no warning, and is lines of words', async () => {
    const warnings = 'journalctl --no-pager --output=cat --priority=warning --since=-5min'
    expect(await a.sh(`${warnings} --unit=imgpipe-detector`)).toBe('')
    expect(await b.sh(`${warnings} --unit=imgpipe-reader --identifier=imgpipe-reader --boot`)).toBe('')
  })

  test('systemctl status shows the progress of a run', async () => {
    await cloud.upload('status/', 12)
    await setPrefix('status/', { maxRequestsPerSecond: 2 })
    await a.sh('systemctl start --no-block imgpipe-detector')
    await until('a status with counts', async () =>
      /\d+ .*pictures/.test(await a.property('imgpipe-detector', 'StatusText')),
    )
    await resultsOf('status/')
  })

  test('a stop in the middle of a run loses nothing: the next start goes on with it', async () => {
    const lines = await cloud.upload('stopped/', 24)
    await setPrefix('stopped/', { maxRequestsPerSecond: 4 })
    await a.sh('systemctl start --no-block imgpipe-detector')
    await until('half of the pictures are seen', async () => (await seenByA()) >= 8)
    await a.sh('systemctl stop imgpipe-detector')
    expect(await a.property('imgpipe-detector', 'ExecMainStatus')).toBe('0')
    await a.sh('systemctl start imgpipe-detector')
    expect(await resultsOf('stopped/')).toEqual(lines)
    expect(await a.sh('ls /var/lib/imgpipe/detector | grep -c stopped || true')).toBeDefined()
  })

  test('kill -9 of the reader in the middle of a run: systemd brings it back, nothing is lost or doubled', async () => {
    const lines = await cloud.upload('killed/', 24)
    await setPrefix('killed/')
    await configure(b, cloud, { maxRequestsPerSecond: 2 })
    await b.sh('systemctl restart imgpipe-reader')
    await a.sh('systemctl start imgpipe-detector')
    await until(
      'an outcome is written',
      async () =>
        (await b.sh('cat /var/lib/imgpipe/runs/*/ledger.ndjson | grep -c killed/ || true')).trim() !== '0',
    )
    const killed = await b.property('imgpipe-reader', 'MainPID')
    await b.sh(`kill -9 ${killed}`)
    expect(await resultsOf('killed/')).toEqual(lines)
    expect(await b.property('imgpipe-reader', 'MainPID')).not.toBe(killed)
  })

  async function seenByA(): Promise<number> {
    const text = await a.property('imgpipe-detector', 'StatusText')
    return Number(/(\d+)/.exec(text.replace(/run \S+/, ''))?.[1] ?? 0)
  }
})
