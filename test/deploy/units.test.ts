import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { requestDeadlineMs } from '../../src/aws/clients.ts'
import { backoffMs } from '../../src/flow/retry.ts'
import { exitCodes } from '../../src/host/exit-codes.ts'
import { has, project, run } from './command.ts'

const folder = `${project}deploy/systemd`
const services = readdirSync(folder).filter((name) => name.endsWith('.service'))
const units = readdirSync(folder).filter((name) => /\.(service|timer)$/.test(name))
const withoutSystemd = !has('systemd-analyze')

function directives(unit: string): string[] {
  return readFileSync(`${folder}/${unit}`, 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
}

function setting(unit: string, name: string): string | undefined {
  return directives(unit)
    .find((line) => line.startsWith(`${name}=`))
    ?.slice(name.length + 1)
}

test.skipIf(withoutSystemd)('every unit is exposed by 1.1 at most (systemd-analyze is there)', () => {
  const paths = services.map((name) => `${folder}/${name}`)
  const { status, said } = run('systemd-analyze', [
    'security',
    '--offline=yes',
    '--threshold=11',
    '--no-pager',
    ...paths,
  ])
  expect(status, said).toBe(0)
  expect(said.match(/Overall exposure level/g)).toHaveLength(services.length)
})

test.skipIf(withoutSystemd)('systemd finds nothing to complain of (systemd-analyze is there)', () => {
  // Only what ExecStart= names is not on this machine.
  const copies = mkdtempSync(`${tmpdir()}/units-`)
  onTestFinished(() => rmSync(copies, { recursive: true }))
  cpSync(folder, copies, { recursive: true })
  for (const name of services) {
    const content = readFileSync(`${copies}/${name}`, 'utf8')
    writeFileSync(`${copies}/${name}`, content.replace('/opt/imgpipe/current/bin/node', '/bin/true'))
  }
  const instances = units.map((name) => `${copies}/${name.replace('@.', '@example.')}`)
  expect(run('systemd-analyze', ['verify', ...instances])).toEqual({ status: 0, said: '' })
})

test('all units are hardened alike', () => {
  const hardening =
    /^(User|Group|NoNew|Capab|Ambient|Protect|Private|Proc|Device|Restrict(?!art)|Lock|Remove|Keyring|SystemCall|Memory|Tasks|Limit|UMask)/
  const [first = [], ...others] = services.map((unit) =>
    directives(unit).filter((line) => hardening.test(line) && !line.startsWith('RestartPrevent')),
  )
  expect(first.length).toBeGreaterThan(30)
  for (const other of others) expect(other).toEqual(first)
})

test('a reader that only a person can help is not started again; a service or disk that is away is waited for', () => {
  for (const unit of ['imgpipe-reader.service', 'imgpipe-reader@.service']) {
    const { usage, permission, settings } = exitCodes
    expect(setting(unit, 'Restart')).toBe('always')
    expect(setting(unit, 'RestartPreventExitStatus')).toBe(`${usage} ${permission} ${settings}`)
  }
})

test('the watchdog is longer than the longest request and the pause after it, and a stop as long as a call in flight', () => {
  const pauseSeconds = Math.ceil(backoffMs(100, () => 1) / 1000)
  for (const unit of services.filter((name) => name.includes('reader'))) {
    expect(Number(setting(unit, 'WatchdogSec'))).toBeGreaterThan(requestDeadlineMs(0) / 1000 + pauseSeconds)
  }
  for (const unit of services) expect(Number(setting(unit, 'TimeoutStopSec'))).toBeGreaterThanOrEqual(30)
})

test('a template differs from its unit only in names, settings and folder', () => {
  for (const worker of ['detector', 'reader']) {
    const own = directives(`imgpipe-${worker}.service`)
    const instance = directives(`imgpipe-${worker}@.service`)
    const added = instance.filter((line) => !own.includes(line)).map((line) => line.split('=')[0])
    expect([...new Set(added)].sort()).toEqual(
      ['Description', 'Environment', 'EnvironmentFile', 'StateDirectory', 'SyslogIdentifier'].sort(),
    )
  }
})
