import { beforeEach, describe, expect, test } from 'vitest'
import { Sandbox } from './sandbox.ts'

let host: Sandbox
const units = 'etc/systemd/system'

beforeEach(() => {
  host = new Sandbox()
  host.write('etc/fstab', '')
  const { status, text } = host.install()
  expect(status, text).toBe(0)
  host.write(`${units}/imgpipe-reader.service.d/credentials.conf`, '[Service]\n')
  host.write(`${units}/imgpipe-credentials.path`, '[Path]\n')
  host.write(`${units}/imgpipe-backup.service`, '[Service]\n')
  host.write('var/lib/imgpipe/results.txt', '1.jpg: A\n')
  host.sh('systemctl enable imgpipe-credentials.path imgpipe-reader@second.service')
  host.calls()
})

function ourUnits(): string[] {
  return host.names(units).filter((name) => name.startsWith('imgpipe'))
}

describe('--uninstall', () => {
  test('removes the units, those of the examples too, and says what it keeps', () => {
    const { status, text } = host.install('--uninstall')
    expect(status, text).toBe(0)
    expect(ourUnits().sort()).toEqual(['imgpipe-backup.service', 'imgpipe-reader.service.d'])
    expect(text).toMatch(/Kept: .*drop-ins .*imgpipe-reader.service.d\. --purge/)
    expect(host.read('var/lib/imgpipe/results.txt')).toBe('1.jpg: A\n')
    expect(host.exists('opt/imgpipe')).toBe(false)
    expect(host.sh('enabled_units').text).toBe('')
  })

  test('twice is as good as once', () => {
    host.install('--uninstall')
    expect(host.install('--uninstall')).toMatchObject({ status: 0 })
  })
})

describe('--purge', () => {
  test('leaves nothing behind', () => {
    const { status, text } = host.install('--purge')
    expect(status, text).toBe(0)
    expect(ourUnits()).toEqual([])
    for (const path of [
      'etc/imgpipe',
      'var/lib/imgpipe',
      'var/cache/imgpipe',
      'opt/imgpipe',
      'usr/local/bin/imgpipe',
    ])
      expect(host.exists(path), path).toBe(false)
  })

  test('does not delete the content of a mounted volume without --yes, nor anything else', () => {
    host.write('mounted', '/dev/nvme1n1 ext4\n')
    const { status, text } = host.install('--purge')
    expect(status).toBe(1)
    expect(text).toMatch(/is the mounted volume \/dev\/nvme1n1: --purge deletes everything on it.*Add --yes/)
    expect(host.calls()).toEqual([])
    expect(host.exists('var/lib/imgpipe/results.txt')).toBe(true)
  })

  test('with --yes it does, unmounts the volume and removes its entry from fstab', () => {
    host.write('mounted', '/dev/nvme1n1 ext4\n')
    host.write(
      'etc/fstab',
      `UUID=root / xfs defaults 1 1\nUUID=a ${host.path('var/lib/imgpipe')} auto nofail 0 2\n`,
    )
    const { status, text } = host.install('--purge', '--yes')
    expect(status, text).toBe(0)
    expect(host.calls()).toContain(`umount ${host.path('var/lib/imgpipe')}`)
    expect(host.read('etc/fstab')).toBe('UUID=root / xfs defaults 1 1\n')
    expect(host.exists('var/lib/imgpipe')).toBe(false)
  })
})
