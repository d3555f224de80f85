import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestCloud } from './support/cloud.ts'
import { until } from './support/command.ts'
import { checkout, configure, copyProject, giveCredentials, install } from './support/host.ts'
import { Machine } from './support/machine.ts'
import { firstOutcomeOf, resultsOf } from './support/results.ts'

/** One host with both workers, and what happens to it: mistakes of its operator, failures, reboots. */
let cloud: TestCloud
let host: Machine

beforeAll(async () => {
  cloud = await TestCloud.start()
  host = await Machine.boot('imgpipe-one')
  await copyProject(host)
})

afterAll(async () => {
  await host?.stop()
  await cloud?.stop()
})

/** Lets the detector scan this prefix from the next start on. */
function settings(prefix: string, others: object = {}): Promise<void> {
  return configure(host, cloud, { prefix, ...others })
}

describe('a detector before its run', () => {
  test('is not started by the installation', async () => {
    const { status, stdout, stderr } = await install(host)
    expect(status, stdout + stderr).toBe(0)
    expect(await host.property('imgpipe-detector', 'ActiveState')).toBe('inactive')
  })

  test('without credentials A waits beyond its start timeout, says for what, and can be stopped', async () => {
    await configure(host, cloud, {})
    await host.write(
      '/etc/systemd/system/imgpipe-detector.service.d/short.conf',
      '[Service]\nTimeoutStartSec=20\n',
    )
    await host.sh('systemctl daemon-reload && systemctl start --no-block imgpipe-detector')
    await until('the start timeout has passed', async () => {
      const startedAt = Number(await host.property('imgpipe-detector', 'ExecMainStartTimestampMonotonic'))
      const [uptime = ''] = (await host.sh('cat /proc/uptime')).split(' ')
      return startedAt > 0 && Number(uptime) - startedAt / 1e6 > 25
    })
    expect(await host.property('imgpipe-detector', 'ActiveState')).toBe('activating')
    expect(await host.property('imgpipe-detector', 'StatusText')).toMatch(/waiting for new credentials/)
    await host.sh('systemctl stop imgpipe-detector')
    expect(await host.property('imgpipe-detector', 'ExecMainStatus')).toBe('75')
    await host.sh('rm -r /etc/systemd/system/imgpipe-detector.service.d && systemctl daemon-reload')
    await giveCredentials(host, 'FIRST')
  })
})

describe('mistakes of an operator', () => {
  test('the reader runs', async () => {
    await host.sh('systemctl restart imgpipe-reader')
  })

  test('a dry run needs no root', async () => {
    const text = await host.asVisitor(
      'PATH=/usr/local/bin:/usr/bin:/bin /opt/imgpipe/current/deploy/install.sh --dry-run',
    )
    expect(text).toMatch(/already built and working[\s\S]*nothing was changed/)
  })

  test('another role is refused, and the reader keeps running', async () => {
    const reader = await host.property('imgpipe-reader', 'MainPID')
    const { status, stderr } = await install(host, '--role detector')
    expect([status, stderr]).toEqual([
      64,
      expect.stringMatching(/removes imgpipe-reader.service. Add --change-role/),
    ])
    expect(await host.property('imgpipe-reader', 'MainPID')).toBe(reader)
  })

  test('settings that the new release does not know are refused before an upgrade; the reader keeps running', async () => {
    const reader = await host.property('imgpipe-reader', 'MainPID')
    const release = await host.sh('readlink /opt/imgpipe/current')
    await host.sh(`echo '// another version' >>${checkout}/src/cli.ts`)
    for (const [file, content] of [
      ['imgpipe.json', JSON.stringify({ ...cloud.names, minConfidance: 90 })],
      ['imgpipe.env', 'IMGPIPE_MIN_CONFIDANCE=90\n'],
    ] as const) {
      const valid = await host.read(`/etc/imgpipe/${file}`)
      await host.write(`/etc/imgpipe/${file}`, content)
      const { status, stderr } = await install(host)
      expect(status).toBe(1)
      expect(stderr).toMatch(/is not a setting: did you mean/)
      expect(stderr).toMatch(/nothing was switched/)
      await host.write(`/etc/imgpipe/${file}`, valid)
    }
    expect(await host.property('imgpipe-reader', 'MainPID')).toBe(reader)
    expect(await host.sh('readlink /opt/imgpipe/current')).toBe(release)
  })
})

describe('a worker that fails', () => {
  test('what Node itself prints when it ends is logged as a warning', async () => {
    await host.write('/etc/imgpipe/imgpipe.env', 'NODE_OPTIONS=--require=/no/such/file\n')
    expect((await host.try('systemctl start imgpipe-detector')).status).toBe(1)
    const warnings =
      'journalctl --no-pager --output=cat --priority=warning --unit=imgpipe-detector --lines=20'
    expect(await host.sh(warnings)).toMatch(/Cannot find module '\/no\/such\/file'/)
  })

  test('a unit that fails calls the program of the operator, if the example is installed', async () => {
    const examples = '/opt/imgpipe/current/deploy/systemd/examples'
    const units = '/etc/systemd/system'
    await host.sh(`install -D -m 0644 ${examples}/on-failure.conf ${units}/imgpipe-detector.service.d/on-failure.conf
      install -m 0644 ${examples}/imgpipe-failure@.service ${units}/`)
    const hook = `echo "$1 $MONITOR_EXIT_STATUS"; journalctl --output=cat _SYSTEMD_INVOCATION_ID=$MONITOR_INVOCATION_ID`
    await host.write('/etc/imgpipe/on-failure', `#!/bin/sh\n${hook}\n`, '0755')
    await host.sh('systemctl daemon-reload')
    await settings('first/', { minConfidence: 900 })
    expect((await host.try('systemctl start imgpipe-detector')).status).toBe(1)
    const unit = 'imgpipe-failure@imgpipe-detector.service.service'
    const log = await until('the program was called', async () => {
      const text = await host.sh(`journalctl --no-pager --output=cat --unit=${unit}`)
      return /minConfidence/.test(text) && text
    })
    expect(log).toMatch(/^imgpipe-detector.service 78$/m)
    await host.sh(`rm -r ${units}/imgpipe-detector.service.d ${units}/imgpipe-failure@.service /etc/imgpipe/on-failure
      systemctl daemon-reload`)
  })
})

test('a run that a reboot interrupts is resumed if that is enabled, and only then', async () => {
  const lines = await cloud.upload('rebooted/', 24)
  await settings('rebooted/', { maxRequestsPerSecond: 2 })
  await host.sh('systemctl start --no-block imgpipe-detector')
  await firstOutcomeOf(host, 'rebooted/')
  await host.reboot()
  expect(await host.property('imgpipe-detector', 'ActiveState')).toBe('inactive')
  await host.sh('systemctl enable imgpipe-detector-resume')
  await host.reboot()
  expect(await resultsOf(host, 'rebooted/')).toEqual(lines)
  await until('the detector has ended', async () => {
    return (await host.property('imgpipe-detector', 'ActiveState')) === 'inactive'
  })
  await host.sh('systemctl start imgpipe-detector-resume')
  expect(await host.property('imgpipe-detector-resume', 'Result')).toBe('exec-condition')
  await host.sh('systemctl disable imgpipe-detector-resume')
})
