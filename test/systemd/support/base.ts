/**
 * The tree that every machine of these tests starts as a copy of: a bare Debian 12 with systemd, made once by
 * debootstrap and kept in /var/tmp. Vitest calls `setup` before all tests.
 */

import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { must, run } from './command.ts'

export const workDirectory = '/var/tmp/imgpipe-systemd'
export const baseTree = `${workDirectory}/debian-12`

const debianRelease = 'bookworm'
const certificates = '/usr/local/share/ca-certificates'

export async function setup(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error('npm run test:systemd boots containers, which needs root rights: run it with sudo.')
  }
  await installTools()
  if (!existsSync(baseTree)) await makeBase(`${baseTree}.partial`)
}

async function installTools(): Promise<void> {
  const tools = { debootstrap: 'debootstrap', 'systemd-nspawn': 'systemd-container', nsenter: 'util-linux' }
  const lacking: string[] = []
  for (const [command, debianPackage] of Object.entries(tools)) {
    const { status } = await run('sh', ['-c', `command -v ${command}`])
    if (status !== 0) lacking.push(debianPackage)
  }
  if (lacking.length === 0) return
  await must('apt-get', ['update'])
  await must('apt-get', ['install', '--yes', '--no-install-recommends', ...lacking])
}

async function makeBase(tree: string): Promise<void> {
  console.log('Making a bare Debian 12 for the test machines (about a minute, once) …')
  await mkdir(workDirectory, { recursive: true })
  await rm(tree, { recursive: true, force: true })
  const packages = 'systemd,systemd-sysv,dbus,ca-certificates,procps'
  await must('debootstrap', ['--variant=minbase', `--include=${packages}`, debianRelease, tree])
  await takeOverHostNetwork(tree)
  // A machine that lives for minutes need not survive a power cut: hundreds of packages unpack far faster so.
  await writeFile(`${tree}/etc/dpkg/dpkg.cfg.d/no-sync`, 'force-unsafe-io\npath-exclude=/usr/share/doc/*\n')
  await must('chroot', [tree, 'useradd', '--create-home', 'visitor'])
  await rename(tree, baseTree)
}

/** The machines reach package registries just as this host does: its npm and apt configuration, its trusted roots. */
async function takeOverHostNetwork(tree: string): Promise<void> {
  const npmrc = `${homedir()}/.npmrc`
  if (existsSync(npmrc)) await copyFile(npmrc, `${tree}/root/.npmrc`)
  await cp('/etc/apt/sources.list.d', `${tree}/etc/apt/sources.list.d`, { recursive: true })
  if (!existsSync(certificates) || (await readdir(certificates)).length === 0) return
  await cp(certificates, `${tree}${certificates}`, { recursive: true })
  await must('chroot', [tree, 'update-ca-certificates'])
  // npm brings its own roots; this is how Node is told of others.
  await writeFile(
    `${tree}/root/.imgpipe-test-environment`,
    'NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n',
  )
}
