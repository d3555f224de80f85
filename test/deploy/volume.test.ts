import { spawnSync } from 'node:child_process'
import { chmodSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Ended, Sandbox } from './sandbox.ts'

/** Where Debian has the tools of file systems. */
process.env.PATH += ':/usr/sbin:/sbin'

let host: Sandbox
let device = ''
let state = ''

beforeEach(() => {
  host = new Sandbox()
  device = host.path('device')
  state = host.path('var/lib/imgpipe')
  writeFileSync(device, '')
  truncateSync(device, 32 * 1024 * 1024)
  host.write('etc/fstab', 'UUID=root / xfs defaults,noatime 1 1\n')
})

/** What `--volume` does, on a file in the place of a device. */
function mountVolume(options = ''): Ended {
  return host.sh(`active_readers=() waiting_readers=() stopped_readers=()
    read_options --volume ${device} ${options}
    mount_volume`)
}

function fileSystem(): string {
  const { stdout } = spawnSync('blkid', ['--probe', '--match-tag', 'TYPE', '--output', 'value', device])
  return stdout.toString().trim()
}

function makeFileSystem(): void {
  spawnSync('mkfs.ext4', ['-q', device])
}

function entry(): RegExp {
  return new RegExp(`^UUID=[0-9a-f-]{36} ${state} auto defaults,nodev,nosuid,nofail,\\S+ 0 2$`)
}

describe('/etc/fstab', () => {
  test('gets one line for the mount point, with the mode that it has', () => {
    chmodSync(host.path('etc/fstab'), 0o640)
    expect(mountVolume()).toMatchObject({ status: 0 })
    const lines = host.read('etc/fstab').split('\n')
    expect(lines).toEqual(['UUID=root / xfs defaults,noatime 1 1', expect.stringMatching(entry()), ''])
    expect(statSync(host.path('etc/fstab')).mode & 0o777).toBe(0o640)
    expect(host.names('etc').sort()).toEqual(['fstab', 'systemd'])
  })

  test('a last line without a line feed is kept as it is', () => {
    host.write('etc/fstab', 'UUID=root / xfs defaults,noatime 1 1')
    mountVolume()
    expect(host.read('etc/fstab').split('\n')[0]).toBe('UUID=root / xfs defaults,noatime 1 1')
  })

  test.each(['', '/'])(
    'a line of another volume for the mount point is replaced ("%s" at its end)',
    (slash) => {
      const old = `UUID=old ${state}${slash} ext4 defaults 0 2`
      host.write('etc/fstab', `# ${state}\n${old}\n/dev/sdz /var/lib/imgpipe-other ext4 defaults 0 2\n`)
      const { text } = mountVolume()
      expect(text).toContain(`replacing in ${host.path('etc/fstab')}: ${old}`)
      expect(host.read('etc/fstab').split('\n')).toEqual([
        `# ${state}`,
        '/dev/sdz /var/lib/imgpipe-other ext4 defaults 0 2',
        expect.stringMatching(entry()),
        '',
      ])
    },
  )

  test('is not touched a second time', () => {
    mountVolume()
    const { ino } = statSync(host.path('etc/fstab'))
    const { text } = mountVolume()
    expect(text).toMatch(/already mounted/)
    expect(statSync(host.path('etc/fstab')).ino).toBe(ino)
  })
})

describe('the content of a device', () => {
  test('a blank one is read completely, and gets a file system', () => {
    expect(mountVolume().text).toMatch(/reading all of it/)
    expect(fileSystem()).toBe('ext4')
    expect(host.calls()).toContain(`mount --options nodev,nosuid ${device} ${state}`)
  })

  test('one byte anywhere is enough to refuse it', () => {
    spawnSync('dd', ['of=device', 'seek=20000000', 'bs=1', 'count=1', 'conv=notrunc'], {
      cwd: host.root,
      input: 'x',
    })
    expect(mountVolume()).toMatchObject({ status: 1, text: expect.stringMatching(/is not blank/) })
    expect(fileSystem()).toBe('')
    expect(host.read('etc/fstab').split('\n')).toHaveLength(2)
  })

  test.each([0, 100, 32 * 1024 * 1024 - 1])('--new-volume reads only its ends: a byte at %i', (offset) => {
    expect(mountVolume('--new-volume --dry-run').text).not.toMatch(/reading all of it/)
    spawnSync('dd', ['of=device', `seek=${offset}`, 'bs=1', 'count=1', 'conv=notrunc'], {
      cwd: host.root,
      input: 'x',
    })
    expect(mountVolume('--new-volume')).toMatchObject({
      status: 1,
      text: expect.stringMatching(/is not blank/),
    })
  })

  test('an ext4 file system is kept, and grows with its volume', () => {
    makeFileSystem()
    truncateSync(device, 64 * 1024 * 1024)
    const { status, text } = mountVolume()
    expect(status, text).toBe(0)
    expect(text).toMatch(/has a file system \(ext4\) already[\s\S]*uses 32 MB of the volume's 64 MB/)
    expect(mountVolume().text).not.toMatch(/uses .* MB/)
  })

  test.skipIf(process.getuid?.() === 0)(
    'one that only root may read is not called blank in a dry run',
    () => {
      chmodSync(device, 0)
      expect(mountVolume('--dry-run').text).toMatch(/cannot be read without root/)
    },
  )
})

test('readers are stopped for the mount and started after it', () => {
  const { text } = host.sh(`active_readers=(imgpipe-reader.service) waiting_readers=(imgpipe-reader@a.service)
    stopped_readers=()
    read_options --volume ${device}
    mount_volume`)
  expect(
    host.calls().filter((call) => !call.includes('daemon-reload')),
    text,
  ).toEqual([
    'systemctl stop imgpipe-reader.service imgpipe-reader@a.service',
    `mount --options nodev,nosuid ${device} ${state}`,
    'systemctl start --no-block imgpipe-reader.service imgpipe-reader@a.service',
  ])
})

test('readers are started again although the mount failed', () => {
  host.write('bin/mount', '#!/bin/sh\nexit 32\n', 0o755)
  host.sh('systemctl start imgpipe-reader.service')
  const { status, text } = host.sh(`check_host() { missing=(); check_source; stop_if_missing; }
    main --volume ${device}`)
  expect(status).not.toBe(0)
  expect(text).toMatch(/systemctl start --no-block imgpipe-reader.service/)
  expect(host.read('etc/fstab')).toBe('UUID=root / xfs defaults,noatime 1 1\n')
})
