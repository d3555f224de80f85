import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FreshInstance } from './first-boot.ts'

/** deploy/aws/results-volume.sh by itself: B's volume at the first boot. */
const volume = 'vol-0123456789abcdef0'
let instance: FreshInstance
beforeEach(() => {
  instance = new FreshInstance()
})
afterEach(() => instance.remove())

test('a Xen instance has no link by ID: the volume is /dev/xvdf', () => {
  const device = join(instance.root, 'dev/xvdf')
  writeFileSync(device, Buffer.alloc(1_048_576))
  expect(instance.prepareVolume('--attach', '--new', volume)).toMatchObject({
    status: 0,
    stdout: `${device}\n`,
  })
  expect(instance.calls()[0]).toBe(`mkfs.ext4 -q -L imgpipe ${device}`)
})

test('an instance that an update replaces still has the volume: the new one waits until it is free', () => {
  const device = instance.addVolume({ type: 'ext4', attached: false })
  instance.write('attach-answers', `${'VolumeInUse\n'.repeat(100)}IncorrectState\nnitro\n`)
  expect(instance.prepareVolume('--attach', '--new', volume)).toMatchObject({
    status: 0,
    stdout: `${device}\n`,
  })
  expect(instance.calls().filter((call) => call.startsWith('aws '))).toHaveLength(102)
  expect(instance.calls().at(-1)).toBe(`resize2fs ${device}`)
})

test.each([
  ['VolumeInUse', 1200],
  ['UnauthorizedOperation', 120],
])('%s for longer than %i seconds is an error that says so', (code, seconds) => {
  instance.write('attach-answers', `${code}\n`.repeat(1000))
  const { status, stdout, stderr } = instance.prepareVolume('--attach', volume)
  expect(stderr).toMatch(new RegExp(`${volume} is not available after ${seconds} seconds: .*\\(${code}\\)`))
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
})

test('a volume that was attached is not attached again while its device does not appear', () => {
  instance.write('attach-answers', 'lost\n')
  const { stderr } = instance.prepareVolume('--attach', volume)
  expect(stderr).toContain('after 120 seconds: it was attached, but its device did not appear')
  expect(instance.calls()).toHaveLength(1)
})

test('without --attach, CloudFormation attaches the volume: nothing is called meanwhile', () => {
  const { status, stderr } = instance.prepareVolume(volume)
  expect(stderr).toContain(`${volume} is not available after 120 seconds: it was not attached`)
  expect(instance.calls()).toEqual([])
  expect(status).toBe(1)
})

test('an ext4 file system is grown to the size of its volume, and only its size changes', () => {
  const device = instance.addVolume({ type: 'ext4' })
  expect(instance.prepareVolume('--new', volume).status).toBe(0)
  expect(instance.calls()).toEqual([`e2fsck -f -p ${device}`, `resize2fs ${device}`])
})

test('an xfs file system is mounted to grow', () => {
  const device = instance.addVolume({ type: 'xfs' })
  expect(instance.prepareVolume(volume).status).toBe(0)
  const [mount = '', grow, umount] = instance.calls()
  const mountPoint = mount.split(' ').at(-1)
  expect(mount).toBe(`mount -o nosuid,nodev ${device} ${mountPoint}`)
  expect([grow, umount]).toEqual([`xfs_growfs ${mountPoint}`, `umount ${mountPoint}`])
})

test.each([
  ['ext4', (device: string) => [`resize2fs ${device}`]],
  ['xfs', () => ['xfs_growfs /var/lib/imgpipe']],
])('a mounted %s file system grows in use, when the script runs again', (type, calls) => {
  const device = instance.addVolume({ type })
  writeFileSync(`${device}.mounted`, '/var/lib/imgpipe\n')
  expect(instance.prepareVolume('--new', volume).status).toBe(0)
  expect(instance.calls()).toEqual(calls(device))
})

test('a file system with errors is not touched', () => {
  const device = instance.addVolume({ type: 'ext4' })
  writeFileSync(`${device}.errors`, '')
  const { status, stderr } = instance.prepareVolume(volume)
  expect(stderr).toContain(`the file system on ${volume} has errors`)
  expect(instance.calls()).toEqual([`e2fsck -f -p ${device}`])
  expect(status).toBe(1)
})

test('no file system is created on a volume that is not new, or that holds data', () => {
  const device = instance.addVolume()
  expect(instance.prepareVolume(volume).status).toBe(0)
  rmSync(device)
  writeFileSync(device, Buffer.concat([Buffer.alloc(4096), Buffer.from('data'), Buffer.alloc(1_048_576)]))
  expect(instance.prepareVolume('--new', volume).status).toBe(0)
  expect(instance.calls()).toEqual([])
})

test.each(['', '--attach', `--old ${volume}`, 'vol-x', `${volume} ${volume}`])(
  'usage error: "%s"',
  (args) => {
    const { status, stderr } = instance.prepareVolume(...args.split(' '))
    expect({ status, stderr }).toMatchObject({
      status: 64,
      stderr: expect.stringContaining('Usage: results-volume.sh'),
    })
  },
)
