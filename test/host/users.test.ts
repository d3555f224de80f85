import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { blockerOf, currentUser, findUser } from '../../src/host/users.ts'

const directory = mkdtempSync(join(tmpdir(), 'imgpipe-users-'))
const inner = join(directory, 'inner')
const file = join(inner, 'file')
mkdirSync(inner)
writeFileSync(file, '')
afterAll(() => rmSync(directory, { recursive: true }))

const { uid, gid } = currentUser()
const owner = { uid, gid, name: 'owner' }
const inGroup = { uid: 64_001, gid, name: 'group' }
const other = { uid: 64_001, gid: 64_001, name: 'other' }
const isRoot = uid === 0

test.each([
  ['other', other, 0o711, 0o604, undefined],
  ['other', other, 0o711, 0o640, file],
  ['other', other, 0o710, 0o644, inner],
  ['group', inGroup, 0o710, 0o640, undefined],
  ['group, which the group bits shut out', inGroup, 0o711, 0o604, file],
])('%s: directory %o, file %o', (_who, user, directoryMode, fileMode, blocker) => {
  chmodSync(directory, 0o711)
  chmodSync(inner, directoryMode)
  chmodSync(file, fileMode)
  expect(blockerOf(user, file)).toBe(blocker)
})

test('the bits of the owner hold for the owner alone; root needs none', () => {
  chmodSync(file, 0o044)
  expect(blockerOf(owner, file)).toBe(isRoot ? undefined : file)
  chmodSync(file, 0o600)
})

test('a file that is missing keeps nobody out', () => {
  expect(blockerOf(owner, join(inner, 'missing'))).toBeUndefined()
})

test('users are found by name', () => {
  const passwd = join(directory, 'passwd')
  writeFileSync(passwd, 'root:x:0:0::/root:/bin/sh\nimgpipe:x:990:991::/var/lib/imgpipe:/sbin/nologin\n')
  expect(findUser('imgpipe', passwd)).toEqual({ uid: 990, gid: 991, name: 'imgpipe' })
  expect(findUser('img', passwd)).toBeUndefined()
})
