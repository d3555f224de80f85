import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestCloud } from './support/cloud.ts'
import { until } from './support/command.ts'
import { checkout, configure, copyProject, giveCredentials, install } from './support/host.ts'
import { Machine } from './support/machine.ts'

/**
 * Two hosts with nothing in common but the cloud: A finds the cars, B reads the texts. The tests are days of
 * one life: each goes on where the one before has ended.
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
  test('without rights B is installed, and says what its reader waits for', async () => {
    const { status, stdout, stderr } = await install(b, '--role reader')
    expect(status, stdout + stderr).toBe(0)
    expect(stdout).toMatch(/not ready yet/)
    expect(stdout).toMatch(/waiting for new credentials/)
    expect(stdout).toMatch(/sudo systemctl restart imgpipe-reader/)
    expect(await b.property('imgpipe-detector.service', 'LoadState')).toBe('not-found')
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

  test('a dry run needs no root', async () => {
    const text = await b.asVisitor(
      'PATH=/usr/local/bin:/usr/bin:/bin /opt/imgpipe/current/deploy/install.sh --dry-run',
    )
    expect(text).toMatch(/already built and working[\s\S]*nothing was changed/)
  })

  test('another role is refused, and the reader keeps running', async () => {
    const reader = await b.property('imgpipe-reader', 'MainPID')
    const { status, stderr } = await install(b, '--role detector')
    expect([status, stderr]).toEqual([
      64,
      expect.stringMatching(/removes imgpipe-reader.service. Add --change-role/),
    ])
    expect(await b.property('imgpipe-reader', 'MainPID')).toBe(reader)
  })

  test('the units are exposed by 1.1 at most, and systemd has nothing to complain of', async () => {
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
  test('one start on A, the exact result on B for everybody to read, and no word of warning', async () => {
    const begin = (await b.sh('date +%s')).trim()
    const lines = await cloud.upload('first/', 12)
    await look('first/')
    await a.sh('systemctl start imgpipe-detector')
    expect(await resultsOf('first/')).toEqual(lines)

    const warnings = `journalctl --quiet --no-pager --output=cat --priority=warning --since=@${begin}`
    expect(await a.sh(`${warnings} --unit=imgpipe-detector`)).toBe('')
    expect(await b.sh(`${warnings} --unit=imgpipe-reader`)).toBe('')
  })

  test('a stop in the middle of a run loses nothing: the status shows its progress, the next start resumes it', async () => {
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
    expect(await resultsOf('stopped/')).toEqual(lines)
  })

  test('kill -9 of the reader in the middle of a run: systemd brings it back, nothing is lost or doubled', async () => {
    const lines = await cloud.upload('killed/', 24)
    await configure(b, cloud, { maxRequestsPerSecond: 2 })
    await b.sh('systemctl restart imgpipe-reader')
    const killed = await b.property('imgpipe-reader', 'MainPID')
    await look('killed/')
    await a.sh('systemctl start --no-block imgpipe-detector')
    await firstOutcomeOf('killed/')
    await b.sh(`kill -9 ${killed}`)
    expect(await resultsOf('killed/')).toEqual(lines)
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
    expect(await resultsOf('timed/')).toEqual(lines)
    await a.sh('systemctl disable --now imgpipe-detector.timer')
  })

  test('a run that a reboot interrupts is resumed if that is enabled, and only then', async () => {
    const lines = await cloud.upload('rebooted/', 24)
    await look('rebooted/', { maxRequestsPerSecond: 2 })
    await a.sh('systemctl start --no-block imgpipe-detector')
    await firstOutcomeOf('rebooted/')
    await a.reboot()
    expect(await a.property('imgpipe-detector', 'ActiveState')).toBe('inactive')
    await a.sh('systemctl enable imgpipe-detector-resume')
    await a.reboot()
    expect(await resultsOf('rebooted/')).toEqual(lines)
    await until('the detector has ended', async () => {
      return (await a.property('imgpipe-detector', 'ActiveState')) === 'inactive'
    })
    await a.sh('systemctl start imgpipe-detector-resume')
    expect(await a.property('imgpipe-detector-resume', 'Result')).toBe('exec-condition')
    await a.sh('systemctl disable imgpipe-detector-resume')
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
    expect(await resultsOf('second/', '/var/lib/imgpipe/second')).toEqual(lines)
    await b.sh('systemctl stop imgpipe-reader@second')
  })
})

describe('what goes wrong', () => {
  test('keys that expire in the middle of a run are replaced, and nothing is started again', async () => {
    const lines = await cloud.upload('expired/', 24)
    const reader = await b.property('imgpipe-reader', 'MainPID')
    await giveCredentials(a, 'LASTING')
    await look('expired/')
    await a.sh('systemctl start --no-block imgpipe-detector')
    await firstOutcomeOf('expired/')
    cloud.gate.expire('FIRST')
    await until('the status tells of the keys', async () =>
      /waiting for new credentials/.test(await b.property('imgpipe-reader', 'StatusText')),
    )
    await giveCredentials(b, 'SECOND')
    expect(await resultsOf('expired/')).toEqual(lines)
    expect(await b.property('imgpipe-reader', 'MainPID')).toBe(reader)
    expect(cloud.gate.seen('SECOND')).toBeGreaterThan(0)
  })

  test('a reader that hangs is ended by the watchdog and comes back', async () => {
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

  test('settings that the new release does not know are refused before an upgrade; the reader keeps running', async () => {
    const reader = await b.property('imgpipe-reader', 'MainPID')
    const release = await b.sh('readlink /opt/imgpipe/current')
    await b.sh(`echo '// another version' >>${checkout}/src/cli.ts`)
    for (const [file, content] of [
      ['imgpipe.json', JSON.stringify({ ...cloud.names, minConfidance: 90 })],
      ['imgpipe.env', 'IMGPIPE_MIN_CONFIDANCE=90\n'],
    ] as const) {
      const valid = await b.read(`/etc/imgpipe/${file}`)
      await b.write(`/etc/imgpipe/${file}`, content)
      const { status, stderr } = await install(b)
      expect(status).toBe(1)
      expect(stderr).toMatch(/is not a setting: did you mean/)
      expect(stderr).toMatch(/nothing was switched/)
      await b.write(`/etc/imgpipe/${file}`, valid)
    }
    expect(await b.property('imgpipe-reader', 'MainPID')).toBe(reader)
    expect(await b.sh('readlink /opt/imgpipe/current')).toBe(release)
  })

  test('a unit that fails calls the program of the operator, if the example is installed', async () => {
    const examples = '/opt/imgpipe/current/deploy/systemd/examples'
    const units = '/etc/systemd/system'
    await a.sh(`install -D -m 0644 ${examples}/on-failure.conf ${units}/imgpipe-detector.service.d/on-failure.conf
      install -m 0644 ${examples}/imgpipe-failure@.service ${units}/`)
    const hook = `echo "$1 $MONITOR_EXIT_STATUS"; journalctl --output=cat _SYSTEMD_INVOCATION_ID=$MONITOR_INVOCATION_ID`
    await a.write('/etc/imgpipe/on-failure', `#!/bin/sh\n${hook}\n`, '0755')
    await a.sh('systemctl daemon-reload')
    await look('first/', { minConfidence: 900 })
    expect((await a.try('systemctl start imgpipe-detector')).status).toBe(1)
    const unit = 'imgpipe-failure@imgpipe-detector.service.service'
    const log = await until('the program was called', async () => {
      const text = await a.sh(`journalctl --no-pager --output=cat --unit=${unit}`)
      return /minConfidence/.test(text) && text
    })
    expect(log).toMatch(/^imgpipe-detector.service 78$/m)
    await a.sh(`rm -r ${units}/imgpipe-detector.service.d ${units}/imgpipe-failure@.service /etc/imgpipe/on-failure
      systemctl daemon-reload`)
  })

  test('what Node itself says when it ends is a warning in the log', async () => {
    await a.write('/etc/imgpipe/imgpipe.env', 'NODE_OPTIONS=--require=/no/such/file\n')
    expect((await a.try('systemctl start imgpipe-detector')).status).toBe(1)
    const warnings =
      'journalctl --no-pager --output=cat --priority=warning --unit=imgpipe-detector --lines=20'
    expect(await a.sh(warnings)).toMatch(/Cannot find module '\/no\/such\/file'/)
  })

  test('wrong settings stop both workers with 78 and one sentence, and nothing tries again', async () => {
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

  test('with the settings put right both go on', async () => {
    await configure(b, cloud, {})
    await b.sh('systemctl start imgpipe-reader')
    const lines = await cloud.upload('right/', 6)
    await look('right/')
    await a.sh('systemctl start imgpipe-detector')
    expect(await resultsOf('right/')).toEqual(lines)
  })
})

/** Lets A look at this prefix from the next start on. */
function look(prefix: string, settings: object = {}): Promise<void> {
  return configure(a, cloud, { prefix, ...settings })
}

/** Waits until B has written down the first outcome of a run over this prefix. */
function firstOutcomeOf(prefix: string): Promise<boolean> {
  return until(`an outcome of ${prefix}`, async () => {
    const query = `new (require("node:sqlite").DatabaseSync)("/var/lib/imgpipe/reader.sqlite", { readOnly: true })
      .prepare("SELECT 1 FROM outcomes WHERE key LIKE ?").get("${prefix}%") ?? process.exit(1)`
    const { status } = await b.try(`/opt/imgpipe/current/bin/node --eval '${query}'`)
    return status === 0
  })
}

/** Waits until B has published a run over this prefix. @returns its lines, as somebody without rights reads them */
function resultsOf(prefix: string, folder = '/var/lib/imgpipe'): Promise<string[]> {
  return until(`results of ${prefix}`, async () => {
    const { status } = await b.try(`grep --quiet '^${prefix}' ${folder}/results.txt`)
    if (status !== 0) return undefined
    return (await b.asVisitor(`cat ${folder}/results.txt`)).trimEnd().split('\n')
  })
}
