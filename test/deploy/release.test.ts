import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { has, project, run } from './command.ts'
import { Sandbox } from './sandbox.ts'

/** What a host without network has no use for, and what an installation from the archive must not call. */
const builders =
  /^(npm|npx|node.*|nodejs|corepack|cc|c\+\+|gcc.*|g\+\+.*|clang.*|make|python.*|curl|wget|apt.*|dnf)$/
const canBuild = has('npm') && has('g++') && existsSync('/usr/include/systemd/sd-daemon.h')

interface Locked {
  readonly packages: Readonly<Record<string, { dev?: boolean; version: string }>>
}

describe.skipIf(!canBuild)('a release (needs npm, g++ and the headers of libsystemd)', () => {
  const { version } = JSON.parse(readFileSync(`${project}package.json`, 'utf8'))
  const name = `imgpipe-${version}-linux-${process.arch}`
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'imgpipe-release-test-'))
    execFileSync(process.execPath, ['scripts/release.ts', directory], { cwd: project, stdio: 'pipe' })
    execFileSync('tar', ['--extract', '--gzip', `--file=${name}.tar.gz`], { cwd: directory })
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  /** The packages of the lockfile that are not for development only. */
  function productionPackages(): string[] {
    const { packages }: Locked = JSON.parse(readFileSync(`${project}package-lock.json`, 'utf8'))
    const paths = Object.keys(packages).filter((path) => path !== '' && !packages[path]?.dev)
    return paths.map((path) => `${path.split('node_modules/').at(-1)}@${packages[path]?.version}`)
  }

  test('has its checksum, as sha256sum checks it', () => {
    const checked = execFileSync('sha256sum', ['--check', `${name}.tar.gz.sha256`], { cwd: directory })
    expect(checked.toString()).toBe(`${name}.tar.gz: OK\n`)
  })

  test('has an SBOM of every production package and of Node', () => {
    const sbom = JSON.parse(readFileSync(join(directory, `${name}.cdx.json`), 'utf8'))
    const components = sbom.components.map((part: { name: string; group?: string; version: string }) =>
      [part.group, `${part.name}@${part.version}`].filter(Boolean).join('/'),
    )
    const node = `node@${process.versions.node}`
    expect(new Set(components)).toEqual(new Set([...productionPackages(), node]))
    expect(readFileSync(join(directory, name, 'sbom.cdx.json'), 'utf8')).toBe(
      JSON.stringify(sbom, undefined, 2).concat('\n'),
    )
  })

  test('contains the production packages only, with the files of its commit', () => {
    const { packages }: Locked = JSON.parse(
      readFileSync(join(directory, name, 'node_modules/.package-lock.json'), 'utf8'),
    )
    const installed = Object.entries(packages).map(
      ([path, { version }]) => `${path.split('node_modules/').at(-1)}@${version}`,
    )
    expect(installed.toSorted()).toEqual([...new Set(productionPackages())].toSorted())
  })

  test('is installed without network, compiler and npm, under the name that a checkout has', () => {
    const host = new Sandbox(join(directory, name))
    host.isolate(builders)
    const { status, text } = host.install('--role', 'reader')
    expect(status, text).toBe(0)
    expect(text).not.toMatch(/npm|apt-get/)
    const release = host.release('current')
    const node = realpathSync(host.path('opt/imgpipe/current/bin/node'))
    expect(node).toBe(
      join(
        realpathSync(host.root),
        `opt/imgpipe/node/${process.versions.node}-linux-${process.arch}/bin/node`,
      ),
    )
    const loaded = run(node, [
      '--eval',
      `require('${host.path('opt/imgpipe/current/node_modules/sd-notify')}')`,
    ])
    expect(loaded).toEqual({ status: 0, said: '' })
    const inCheckout = run('bash', ['-c', 'prefix=/; . deploy/install.sh; name_release; basename "$release"'])
    expect(release).toBe(inCheckout.said.trim())

    const again = host.install()
    expect(again.text).toContain('already built and working')
    expect(again.status, again.text).toBe(0)
  })
})

describe('the installer in a release archive', () => {
  let host: Sandbox

  beforeEach(() => {
    host = new Sandbox()
    host.write(`source/node-v24.21.0-linux-${process.arch}/bin/node`, '')
    host.write('source/node_modules/sd-notify/index.js', '')
  })

  test('needs less disk space than a build', () => {
    host.write('bin/df', '#!/bin/sh\necho Avail\necho $((299 * 1024))\n', 0o755)
    expect(host.install().text).toContain('300 MB of free disk space (found: 299 MB)')
  })

  test('refuses another processor', () => {
    const { status, text } = host.sh('arch=riscv; main')
    expect(status).toBe(1)
    expect(text).toContain(`this one is for ${process.arch}, the one for riscv ends in linux-riscv.tar.gz`)
  })

  test('refuses an archive that was not unpacked completely', () => {
    rmSync(host.path('source/node_modules'), { recursive: true })
    const { status, text } = host.install()
    expect(status).toBe(1)
    expect(text).toMatch(/the complete project: .*node_modules does not exist/)
  })
})
