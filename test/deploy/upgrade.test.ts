import { symlinkSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

let host: Sandbox

beforeEach(() => {
  host = new Sandbox()
})

function installed(...options: string[]): string {
  const { status, text } = host.install(...options)
  expect(status, text).toBe(0)
  return text
}

/** A host with this role, on which its reader runs. */
function installedHost(...options: string[]): string {
  installed(...options)
  host.calls()
  return host.release('current')
}

/** Installs another version. @returns its name */
function upgraded(version: string): string {
  host.change(version)
  installed()
  return host.release('current')
}

describe('a first installation', () => {
  test('installs the units of the role, and starts the reader and nothing else', () => {
    const text = installed('--role', 'both')
    expect(text).toMatch(/The reader is ready/)
    expect(host.names('etc/systemd/system').filter((name) => name.startsWith('imgpipe'))).toHaveLength(7)
    expect(host.names('etc/systemd/system/multi-user.target.wants')).toEqual(['imgpipe-reader.service'])
    const started = host.calls().filter((call) => /^systemctl (re)?start/.test(call))
    expect(started).toEqual(['systemctl start --no-block imgpipe-reader.service'])
  })

  test('builds the native addon although npm is told to ignore scripts', () => {
    installed()
    expect(host.calls()).toContainEqual(
      expect.stringMatching(/^npm rebuild sd-notify .*--ignore-scripts=false/),
    )
  })

  test('a second one changes nothing', () => {
    installedHost()
    const text = installed()
    expect(text).toMatch(/already built and working/)
    expect(host.calls().filter((call) => !/^systemd-run /.test(call))).toEqual([])
  })
})

describe('the settings before an upgrade', () => {
  test('one that the new release does not know is refused with its sentence, and the reader keeps running', () => {
    const before = installedHost()
    host.write('etc/imgpipe/imgpipe.json', '{"typo": 1}')
    host.change('2')
    const { status, text } = host.install()
    expect(status).toBe(1)
    expect(text).toContain(`${host.path('etc/imgpipe/imgpipe.json')}: "typo" is not a setting`)
    expect(text).toMatch(/nothing was switched/)
    expect(host.release('current')).toBe(before)
    expect(host.calls().filter((call) => /^systemctl/.test(call))).toEqual([])
  })

  test.each(['active', 'enabled'])('those of a further pipeline are checked as well: %s', (state) => {
    installedHost()
    host.write('etc/imgpipe/second.json', '{"typo": 1}')
    if (state === 'active') host.write('state/imgpipe-reader@second.service', 'active')
    else host.sh('systemctl enable imgpipe-reader@second.service')
    host.change('2')
    const { status, text } = host.install()
    expect(status).toBe(1)
    expect(text).toMatch(/settings of the pipeline "second"/)
  })

  test('units that are no pipelines do not count', () => {
    installedHost()
    host.write('state/imgpipe-failure@imgpipe-reader.service.service', 'active')
    installed()
  })

  test('the environment of the units counts', () => {
    installedHost()
    host.write('etc/imgpipe/imgpipe.env', 'IMGPIPE_LABEL=typo\n')
    host.change('2')
    expect(host.install().status).toBe(1)
  })
})

describe('a release whose reader does not become ready', () => {
  test('is taken back, and the log of that very start is shown', () => {
    const before = installedHost()
    host.write('source/src/broken', '')
    host.change('2')
    const { status, text } = host.install()
    expect(status).toBe(1)
    const invocation = host.read('invocations/imgpipe-reader.service').trim()
    expect(text).toMatch(
      /did not become ready in .*Its last log lines:\n.*<the log of .*_SYSTEMD_INVOCATION_ID=\d+/,
    )
    expect(text).toMatch(/is in use again and runs as before/)
    expect(text).not.toContain(`INVOCATION_ID=${invocation} +`)
    expect(host.release('current')).toBe(before)
    expect(host.read('state/imgpipe-reader.service').trim()).toBe('active')
  })

  test('a reader that only waits is restarted without being waited for', () => {
    installedHost()
    host.write('state/imgpipe-reader.service', 'activating')
    upgraded('2')
    expect(host.calls()).toContain('systemctl restart --no-block imgpipe-reader.service')
  })
})

describe('old releases', () => {
  test('the one in use and the one before are kept', () => {
    const first = installedHost()
    const second = upgraded('2')
    const third = upgraded('3')
    expect(host.names('opt/imgpipe/releases').sort()).toEqual([second, third].sort())
    expect(host.release('previous')).toBe(second)
    expect(first).not.toBe(second)
  })

  test.each(['maps', 'exe', 'cwd', 'cmdline'])('one that a process uses is kept: %s', (kind) => {
    const first = installedHost()
    const path = `${host.path('opt/imgpipe/releases')}/${first}`
    host.write('proc/123/comm', 'MainThread')
    if (kind === 'maps')
      host.write('proc/123/maps', `7f00-7f01 r-xp 0 08:01 1   ${path}/node_modules/notify.node\n`)
    else if (kind === 'cmdline') host.write('proc/123/cmdline', `node\0${path}/src/cli.ts\0detect\0`)
    else symlinkSync(kind === 'exe' ? `${path}/bin/node` : path, host.path(`proc/123/${kind}`))
    upgraded('2')
    upgraded('3')
    expect(host.names('opt/imgpipe/releases')).toHaveLength(3)
    expect(host.names('opt/imgpipe/releases')).toContain(first)
  })

  test('a dry run does not list what the upgrade would keep', () => {
    const first = installedHost()
    host.change('2')
    const { status, text } = host.install('--dry-run')
    expect(status, text).toBe(0)
    expect(text).not.toContain(`rm --recursive --force ${host.path('opt/imgpipe/releases')}/${first}`)
    expect(host.release('current')).toBe(first)
    expect(host.calls()).toEqual([])
  })
})

describe('--rollback', () => {
  /** Rolls back as the installer of the older release does. */
  function rollBack(target: string): void {
    const { status, text } = host.installerOf(target, 'INSTALL_ROLLBACK=yes main --role both')
    expect(status, text).toBe(0)
  }

  test('names the version, and lets its own installer do it, without a build', () => {
    const first = installedHost()
    const second = upgraded('2')
    const { text } = host.install('--rollback')
    expect(text).toContain(`From ${second} to ${first}`)
    expect(text).toMatch(new RegExp(`exec .*/${first}/deploy/install.sh --role both rollback=yes`))
    host.calls()
    rollBack(first)
    expect(host.release('current')).toBe(first)
    expect(host.calls().filter((call) => /^npm/.test(call))).toEqual([])
  })

  test('a second one does not return to the version that was left, but says how to', () => {
    const first = installedHost()
    const second = upgraded('2')
    rollBack(first)
    const { status, text } = host.install('--rollback')
    expect(status).toBe(1)
    expect(text).toMatch(/--use VERSION/)
    expect(text).toContain(second)
    expect(host.install('--use', second).text).toMatch(new RegExp(`exec .*/${second}/.* rollback=no`))
  })

  test('without an earlier version it says so', () => {
    installedHost()
    expect(host.install('--rollback')).toMatchObject({
      status: 1,
      text: expect.stringMatching(/no earlier version/),
    })
    expect(host.install('--use', '9.9.9-x').text).toMatch(
      /9.9.9-x is not on this host; --use takes one of: \S/,
    )
  })
})
