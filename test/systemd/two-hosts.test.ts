import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestCloud } from './support/cloud.ts'
import { until } from './support/command.ts'
import { configure, copyProject, giveCredentials, install } from './support/host.ts'
import { Machine } from './support/machine.ts'
import { firstOutcomeOf, resultsOf } from './support/results.ts'

/**
 * Two hosts that share nothing but the cloud: A runs the detector, B the reader. The tests build on each other.
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

describe('a first installation', () => {
  test('without credentials B is installed, and the installer says what its reader waits for', async () => {
    const { status, stdout, stderr } = await install(b, '--role reader')
    expect(status, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/not ready yet/)
    expect(stdout).toMatch(/waiting for new credentials/)
    expect(stdout).toMatch(/sudo systemctl restart imgpipe-reader/)
    expect(await b.property('imgpipe-detector.service', 'LoadState')).toBe('not-found')
  })

  test('with settings and credentials the reader of B becomes ready', async () => {
    await configure(b, cloud, {})
    await giveCredentials(b, 'FIRST')
    await b.sh('systemctl restart imgpipe-reader')
    expect(await b.property('imgpipe-reader', 'ActiveState')).toBe('active')
    expect(await b.property('imgpipe-reader', 'UnitFileState')).toBe('enabled')
  })

  test('A gets the detector, not the reader, and a timer that is disabled', async () => {
    const { status, stdout, stderr } = await install(a, '--role detector')
    expect(status, stdout + stderr).toBe(0)
    await giveCredentials(a, 'FIRST')
    expect(await a.property('imgpipe-detector.timer', 'UnitFileState')).toBe('disabled')
    expect(await a.property('imgpipe-reader.service', 'LoadState')).toBe('not-found')
  })

  test('the units have an exposure of at most 1.1, and systemd-analyze verify reports nothing', async () => {
    for (const [machine, unit] of [
      [a, 'imgpipe-detector'],
      [b, 'imgpipe-reader'],
    ] as const) {
      await machine.sh(`systemd-analyze security --threshold=11 ${unit}.service ${unit}@example.service`)
      const verified = await machine.try(`systemd-analyze verify ${unit}.service ${unit}@example.service`)
      expect(verified).toEqual({ status: 0, stdout: '', stderr: '' })
    }
  })
})

describe('runs', () => {
  test('one start on A gives the exact results on B, world-readable, without a warning in either log', async () => {
    const begin = (await b.sh('date +%s')).trim()
    const lines = await cloud.upload('first/', 12)
    await look('first/')
    await a.sh('systemctl start imgpipe-detector')
    expect(await resultsOf(b, 'first/')).toEqual(lines)

    const warnings = `journalctl --quiet --no-pager --output=cat --priority=warning --since=@${begin}`
    expect(await a.sh(`${warnings} --unit=imgpipe-detector`)).toBe('')
    expect(await b.sh(`${warnings} --unit=imgpipe-reader`)).toBe('')
  })

  test('a run that is stopped loses nothing: the status shows its progress, the next start resumes it', async () => {
    const lines = await cloud.upload('stopped/', 24)
    await look('stopped/', { maxRequestsPerSecond: 2 })
    await a.sh('systemctl start --no-block imgpipe-detector')
    const status = await until('the status shows images', async () => {
      const text = await a.property('imgpipe-detector', 'StatusText')
      return /[1-9]\d* (of \d+ )?images/.test(text) ? text : undefined
    })
    expect(status).toMatch(/^run \S+: /)
    await a.sh('systemctl stop imgpipe-detector')
    expect(await a.property('imgpipe-detector', 'ExecMainStatus')).toBe('75')

    await a.sh('systemctl start imgpipe-detector')
    expect(await resultsOf(b, 'stopped/')).toEqual(lines)
  })

  test('a reader killed during a run is restarted by systemd; nothing is lost or duplicated', async () => {
    const lines = await cloud.upload('killed/', 24)
    await configure(b, cloud, { maxRequestsPerSecond: 2 })
    await b.sh('systemctl restart imgpipe-reader')
    const killed = await b.property('imgpipe-reader', 'MainPID')
    await look('killed/')
    await a.sh('systemctl start --no-block imgpipe-detector')
    await firstOutcomeOf(b, 'killed/')
    await b.sh(`kill -9 ${killed}`)
    expect(await resultsOf(b, 'killed/')).toEqual(lines)
    expect(await b.property('imgpipe-reader', 'MainPID')).not.toBe(killed)
  })

  test('the timer starts runs by itself, but none because it is enabled', async () => {
    const lines = await cloud.upload('timed/', 6)
    await look('timed/')
    await a.sh('systemctl enable --now imgpipe-detector.timer')
    expect(await a.property('imgpipe-detector.timer', 'LastTriggerUSec')).toBe('')
    expect(await a.property('imgpipe-detector', 'ActiveState')).toBe('inactive')
    const soon = '[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\n'
    await a.write('/etc/systemd/system/imgpipe-detector.timer.d/soon.conf', soon)
    await a.sh('systemctl daemon-reload && systemctl restart imgpipe-detector.timer')
    expect(await resultsOf(b, 'timed/')).toEqual(lines)
    await a.sh('systemctl disable --now imgpipe-detector.timer')
  })

  test('a further pipeline has its own settings, queue and results', async () => {
    const lines = await cloud.upload('second/', 6)
    const settings = JSON.stringify({ ...cloud.names, queue: cloud.secondQueue, prefix: 'second/' })
    await Promise.all([
      a.write('/etc/imgpipe/second.json', settings),
      b.write('/etc/imgpipe/second.json', settings),
    ])
    await b.sh('systemctl start imgpipe-reader@second')
    await a.sh('systemctl start imgpipe-detector@second')
    expect(await resultsOf(b, 'second/', '/var/lib/imgpipe/second')).toEqual(lines)
    await b.sh('systemctl stop imgpipe-reader@second')
  })
})

describe('what goes wrong', () => {
  test('keys that expire during a run are replaced without a restart', async () => {
    const lines = await cloud.upload('expired/', 24)
    const reader = await b.property('imgpipe-reader', 'MainPID')
    await giveCredentials(a, 'LASTING')
    await look('expired/')
    await a.sh('systemctl start --no-block imgpipe-detector')
    await firstOutcomeOf(b, 'expired/')
    cloud.gate.expire('FIRST')
    await until('the status names the credentials', async () =>
      /waiting for new credentials/.test(await b.property('imgpipe-reader', 'StatusText')),
    )
    await giveCredentials(b, 'SECOND')
    expect(await resultsOf(b, 'expired/')).toEqual(lines)
    expect(await b.property('imgpipe-reader', 'MainPID')).toBe(reader)
    expect(cloud.gate.seen('SECOND')).toBeGreaterThan(0)
  })

  test('a reader that hangs is killed by the watchdog and restarted', async () => {
    await b.write('/etc/systemd/system/imgpipe-reader.service.d/soon.conf', '[Service]\nWatchdogSec=25\n')
    await b.sh('systemctl daemon-reload && systemctl restart imgpipe-reader')
    const hanging = await b.property('imgpipe-reader', 'MainPID')
    await b.sh(`kill -STOP ${hanging}`)
    await until('another reader is ready', async () => {
      const reader = await b.property('imgpipe-reader', 'MainPID')
      const state = await b.property('imgpipe-reader', 'ActiveState')
      return state === 'active' && reader !== hanging
    })
    expect(await b.sh('journalctl --no-pager --unit=imgpipe-reader')).toMatch(/Watchdog timeout/)
    await b.sh('rm -r /etc/systemd/system/imgpipe-reader.service.d && systemctl daemon-reload')
  })

  test('invalid settings end both workers with 78 and one sentence, and neither is restarted', async () => {
    await configure(b, cloud, { minConfidence: 900 })
    await look('first/', { minConfidence: 900 })
    for (const [machine, unit] of [
      [a, 'imgpipe-detector'],
      [b, 'imgpipe-reader'],
    ] as const) {
      expect((await machine.try(`systemctl restart ${unit}`)).status).toBe(1)
      expect(await machine.property(unit, 'ExecMainStatus')).toBe('78')
      expect(await machine.property(unit, 'SubState')).toBe('failed')
      const warnings = `journalctl --no-pager --output=cat --priority=warning --unit=${unit} --lines=3`
      expect(await machine.sh(warnings)).toMatch(/minConfidence/)
    }
    expect(await b.property('imgpipe-reader', 'NRestarts')).toBe('0')
  })

  test('with corrected settings both continue', async () => {
    await configure(b, cloud, {})
    await b.sh('systemctl start imgpipe-reader')
    const lines = await cloud.upload('right/', 6)
    await look('right/')
    await a.sh('systemctl start imgpipe-detector')
    expect(await resultsOf(b, 'right/')).toEqual(lines)
  })
})

/** Lets A look at this prefix from the next start on. */
function look(prefix: string, settings: object = {}): Promise<void> {
  return configure(a, cloud, { prefix, ...settings })
}
