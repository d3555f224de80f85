import { readFileSync } from 'node:fs'
import { beforeEach, expect, test } from 'vitest'
import { project } from './command.ts'
import { Sandbox } from './sandbox.ts'

let host: Sandbox

beforeEach(() => {
  host = new Sandbox()
  host.write('bin/dpkg-query', '#!/bin/sh\n', 0o755)
})

test('apt-get waits for the locks of another package manager', () => {
  host.write('apt-locks', '3')
  const { status, text } = host.sh('install_by_apt g++')
  expect(status, text).toBe(0)
  const calls = host.calls()
  expect(calls.filter((call) => call.endsWith('update'))).toHaveLength(4)
  expect(calls.at(-1)).toMatch(/^apt-get -o DPkg::Lock::Timeout=300 install .* g\+\+$/)
})

test('a lock that is never released ends with what apt-get says', () => {
  host.write('apt-locks', '1000')
  const { status, text } = host.sh('lock_seconds=0; install_by_apt g++')
  expect(status).toBe(1)
  expect(text).toMatch(/Could not get lock[\s\S]*could not update the package lists/)
})

test('the Node that is fetched is the one that the project is tested with', () => {
  const { packages } = JSON.parse(readFileSync(`${project}package-lock.json`, 'utf8'))
  const { text } = host.sh('echo $fetched_node_version')
  expect(text.trim()).toBe(packages['node_modules/node'].version)
})

test.each([
  ['the expected one', 0],
  ['another', 1],
])('a package from the registry is used if its content is the expected one: %s', (which, expected) => {
  const [, pinned] = /\[npm\]=(sha512-\S+)/.exec(readFileSync(`${project}deploy/lib/node.sh`, 'utf8')) ?? []
  const integrity = which === 'another' ? 'sha512-AAAA' : pinned
  const entries = {
    'node_modules/npm-other': { integrity: pinned },
    'node_modules/npm': { version: '1', integrity },
  }
  host.write('fetched/node_modules/.package-lock.json', JSON.stringify({ packages: entries }, undefined, 2))
  const { status, text } = host.sh('verify_fetched "$prefix/fetched" npm')
  expect(status, text).toBe(expected)
  if (expected !== 0) expect(text).toMatch(/the registry's package npm is not the one/)
})

test('disk space is required only for a build', () => {
  host.write('bin/df', '#!/bin/sh\necho Avail\necho 1000\n', 0o755)
  expect(host.sh('name_release; mkdir -p "$release"; check_source; stop_if_missing')).toMatchObject({
    status: 0,
  })
  const { status, text } = host.sh('rm -r "$releases"; check_source; stop_if_missing')
  expect(status).toBe(1)
  expect(text).toMatch(/1024 MB of free disk space \(found: 0 MB\)/)
})
