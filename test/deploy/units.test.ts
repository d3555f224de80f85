import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { requestDeadlineMs } from '../../src/aws/clients.ts'
import { backoffMs } from '../../src/flow/retry.ts'
import { exitCodes } from '../../src/host/exit-codes.ts'
import { has, project, run } from './command.ts'

const directory = `${project}deploy/systemd`
const services = readdirSync(directory).filter((name) => name.endsWith('.service'))
const workers = services.filter((name) => !name.includes('resume'))
const units = readdirSync(directory).filter((name) => /\.(service|timer)$/.test(name))
const withoutSystemd = !has('systemd-analyze')

function directives(unit: string): string[] {
  return readFileSync(`${directory}/${unit}`, 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
}

function setting(unit: string, name: string): string | undefined {
  return directives(unit)
    .find((line) => line.startsWith(`${name}=`))
    ?.slice(name.length + 1)
}

test.skipIf(withoutSystemd)('every unit is exposed by 1.1 at most (needs systemd-analyze)', () => {
  const paths = services.map((name) => `${directory}/${name}`)
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

test.skipIf(withoutSystemd)('systemd accepts every unit without a warning (needs systemd-analyze)', () => {
  // Only what ExecStart= names is not on this machine.
  const copies = mkdtempSync(`${tmpdir()}/units-`)
  onTestFinished(() => rmSync(copies, { recursive: true }))
  cpSync(directory, copies, { recursive: true })
  for (const name of services) {
    const content = readFileSync(`${copies}/${name}`, 'utf8')
    writeFileSync(`${copies}/${name}`, content.replaceAll('/opt/imgpipe/current/bin/node', '/bin/true'))
  }
  const instances = units.map((name) => `${copies}/${name.replace('@.', '@example.')}`)
  expect(run('systemd-analyze', ['verify', ...instances])).toEqual({ status: 0, said: '' })
})

test('all units have the same sandbox', () => {
  const hardening =
    /^(User|Group|NoNew|Capab|Ambient|Protect|Private|Proc|Device|Restrict(?!art)|Lock|Remove|Keyring|SystemCall|Memory|Tasks|Limit|UMask)/
  const [first = [], ...others] = services.map((unit) =>
    directives(unit).filter((line) => hardening.test(line) && !line.startsWith('RestartPrevent')),
  )
  expect(first.length).toBeGreaterThan(30)
  for (const other of others) expect(other).toEqual(first)
})

test('a reader that needs an operator is not restarted; one that waits for a service or the disk is', () => {
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
  for (const unit of workers) expect(Number(setting(unit, 'TimeoutStopSec'))).toBeGreaterThanOrEqual(30)
})

test('a template differs from its unit only in names, settings and directory', () => {
  for (const worker of ['detector', 'reader', 'detector-resume']) {
    const own = directives(`imgpipe-${worker}.service`)
    const instance = directives(`imgpipe-${worker}@.service`)
    const added = instance.filter((line) => !own.includes(line)).map((line) => line.split('=')[0])
    expect([...new Set(added)].sort()).toEqual(
      [
        'Description',
        'Environment',
        'EnvironmentFile',
        'StateDirectory',
        'SyslogIdentifier',
        ...(worker === 'detector-resume' ? ['ConditionPathExists', 'ExecStart'] : []),
      ].sort(),
    )
  }
})

test('what Node itself writes, without a priority in front of the line, is a warning in the journal', () => {
  for (const unit of services) expect(setting(unit, 'SyslogLevel')).toBe('warning')
})

test('the timer starts no run when it is enabled, nor at boot', () => {
  const timer = directives('imgpipe-detector.timer').map((line) => line.split('=')[0])
  expect(timer).toContain('OnCalendar')
  for (const name of ['OnBootSec', 'OnActiveSec', 'OnUnitInactiveSec', 'OnStartupSec', 'Persistent'])
    expect(timer).not.toContain(name)
})

test('a run is resumed at boot only if the program finds one, and by the unit of the detector itself', () => {
  expect(setting('imgpipe-detector-resume.service', 'ExecCondition')).toMatch(/ check-interrupted$/)
  expect(setting('imgpipe-detector-resume.service', 'ExecStart')).toMatch(/ imgpipe-detector\.service$/)
  expect(setting('imgpipe-detector-resume@.service', 'ExecStart')).toMatch(/ imgpipe-detector@%i\.service$/)
})

test.skipIf(withoutSystemd)('the examples work with the units (needs systemd-analyze)', () => {
  const copies = mkdtempSync(`${tmpdir()}/units-`)
  onTestFinished(() => rmSync(copies, { recursive: true }))
  for (const name of readdirSync(directory).filter((name) => /^imgpipe-(reader|detector)\./.test(name))) {
    const content = readFileSync(`${directory}/${name}`, 'utf8')
    writeFileSync(`${copies}/${name}`, content.replaceAll('/opt/imgpipe/current/bin/node', '/bin/true'))
  }
  const examples = readdirSync(`${directory}/examples`)
  for (const name of examples.filter((name) => name.startsWith('imgpipe-'))) {
    const content = readFileSync(`${directory}/examples/${name}`, 'utf8')
    writeFileSync(`${copies}/${name}`, content.replace('/etc/imgpipe/on-failure', '/bin/true'))
  }
  for (const name of examples.filter((name) => name.endsWith('.conf')))
    cpSync(`${directory}/examples/${name}`, `${copies}/imgpipe-reader.service.d/${name}`)
  const verified = ['imgpipe-reader.service', 'imgpipe-failure@x.service', 'imgpipe-credentials.path']
  expect(run('systemd-analyze', ['verify', ...verified.map((name) => `${copies}/${name}`)])).toEqual({
    status: 0,
    said: '',
  })
})
