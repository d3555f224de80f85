import { beforeEach, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

let host: Sandbox

beforeEach(() => {
  host = new Sandbox()
  host.write('etc/imgpipe/second.json', '{}')
})

function installed(...options: string[]): void {
  const { status, text } = host.install(...options)
  expect(status, text).toBe(0)
}

function enabled(): string[] {
  return host.sh('enabled_units').text.trim().split('\n')
}

test('another role is refused, with what it would stop', () => {
  installed('--role', 'reader')
  host.sh('systemctl enable imgpipe-reader@second.service imgpipe-credentials.path')
  host.calls()
  const { status, text } = host.install('--role', 'detector')
  expect(status).toBe(64)
  expect(text).toMatch(
    /installed with --role reader; --role detector stops and removes imgpipe-reader.service, imgpipe-reader@second.service\. Add --change-role/,
  )
  expect(host.calls()).toEqual([])
})

test('the role is remembered, and the same one needs no confirmation', () => {
  installed('--role', 'reader')
  installed()
  installed('--role', 'reader')
  expect(host.exists('etc/systemd/system/imgpipe-detector.service')).toBe(false)
})

test('what was enabled is enabled again when the role returns; no run is started', () => {
  installed()
  host.sh(
    'systemctl enable imgpipe-reader@second.service imgpipe-detector.timer imgpipe-detector-resume.service',
  )
  const before = enabled()
  installed('--role', 'reader', '--change-role')
  expect(enabled()).toEqual(['imgpipe-reader.service', 'imgpipe-reader@second.service'])
  host.calls()
  installed('--role', 'detector', '--change-role')
  expect(enabled()).toEqual(['imgpipe-detector-resume.service', 'imgpipe-detector.timer'])
  installed('--role', 'both', '--change-role')
  expect(enabled()).toEqual(before)
  const started = host.calls().filter((call) => /^systemctl (re)?start/.test(call))
  expect(started.join('\n')).toMatch(/imgpipe-detector.timer[\s\S]*imgpipe-reader@second.service/)
  expect(started.join('\n')).not.toMatch(/imgpipe-detector.*service/)
  expect(host.exists('opt/imgpipe/enabled-units')).toBe(false)
})

test('a change of the role that fails restores the units of the old one, enabled and running', () => {
  installed('--role', 'reader')
  host.sh('systemctl enable imgpipe-reader@second.service')
  const before = enabled()
  const { status, text } = host.sh(`reload_units() { return 1; }
    main --role detector --change-role`)
  expect(status).toBe(1)
  expect(text).toMatch(/going back/)
  expect(enabled()).toEqual(before)
  expect(host.names('etc/systemd/system').filter((name) => name.includes('detector'))).toEqual([])
  expect(host.read('state/imgpipe-reader.service').trim()).toBe('active')
  expect(host.read('opt/imgpipe/role').trim()).toBe('reader')
})
