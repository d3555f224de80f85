import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stack } from './stack.ts'
import { table, text } from './template.ts'

const volumeScript = new URL('../../deploy/aws/results-volume.sh', import.meta.url).pathname
const standIns = new URL('stand-ins/', import.meta.url).pathname

/** Commands of the first boot that only Amazon Linux, root or a real volume can run. */
const replaced = [
  'dnf',
  'git',
  'curl',
  'runuser',
  'systemctl',
  'journalctl',
  'sleep',
  'timeout',
  'blkid',
  'mkfs.ext4',
]
replaced.push('e2fsck', 'resize2fs', 'mount', 'umount', 'findmnt', 'xfs_growfs')
/** Commands that are run as they are. There are no others: a name that is in neither list is "command not found". */
const real = [
  'bash',
  'cat',
  'cmp',
  'cp',
  'cut',
  'env',
  'find',
  'grep',
  'gzip',
  'head',
  'ln',
  'mkdir',
  'mktemp',
]
real.push('readlink', 'rmdir', 'sed', 'tail', 'tar', 'tee', 'tr')

const directories = ['bin', 'opt/aws/bin', 'opt/aws/amazon-cloudwatch-agent/bin', 'var/log', 'etc', 'usr/src']
directories.push(
  'usr/local/bin',
  'dev/disk/by-id',
  'tmp',
  'var/lib/cloud/data',
  'project/imgpipe-1.0.0/deploy/aws',
)
directories.push('opt/aws/amazon-cloudwatch-agent/etc')

/** What cfn-signal sends to the URL of a handle. */
export interface Signal {
  readonly Status: 'SUCCESS' | 'FAILURE'
  readonly Reason: string
  readonly Url: string
}

/** The script that an instance of the stack, or of its launch template, runs at its first boot. */
export function userDataOf(stack: Stack, name: string): string {
  const properties = stack.resources[name]?.properties ?? {}
  return text((properties.LaunchTemplateData ? table(properties.LaunchTemplateData) : properties).UserData)
}

/**
 * A directory that stands for a fresh instance. Scripts run as they are, except that the directories they name are in
 * this one. Commands that only Amazon Linux has are strict stand-ins, which record how they were called.
 */
export class FreshInstance {
  readonly root = mkdtempSync(join(tmpdir(), 'imgpipe-first-boot-'))

  constructor() {
    for (const path of directories) mkdirSync(join(this.root, path), { recursive: true })
    for (const name of ['calls', 'signals', 'attach-answers']) this.write(name, '')
    this.write('var/lib/cloud/data/instance-id', 'i-0123456789abcdef0\n')
    for (const name of replaced) this.#standIn('strict', `bin/${name}`)
    this.#standIn('strict', 'opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl')
    this.#standIn('aws', 'bin/aws')
    this.#standIn('cfn-signal', 'opt/aws/bin/cfn-signal')
    for (const name of real) {
      const path = ['/usr/bin', '/bin'].map((directory) => join(directory, name)).find(existsSync)
      if (path !== undefined) symlinkSync(path, join(this.root, 'bin', name))
    }
    this.installerPrints('done', 0)
    this.doctorPrints('ok   settings      bucket njit-cs-643\nAll checks passed.', 0)
    this.#program('project/imgpipe-1.0.0/deploy/aws/results-volume.sh', readFileSync(volumeScript, 'utf8'))
  }

  /** Makes the installer of the release print LINES and end with STATUS. */
  installerPrints(lines: string, status: number): void {
    const record = `echo "install.sh $*" >>${this.root}/calls`
    const script = `#!/bin/bash\n${record}\ncat <<'LINES'\n${lines}\nLINES\nexit ${status}\n`
    this.#program('project/imgpipe-1.0.0/deploy/install.sh', script)
  }

  /** Makes `imgpipe doctor` print LINES and end with STATUS, on its first calls with `earlier` instead of STATUS. */
  doctorPrints(lines: string, status: number, earlier: readonly number[] = []): void {
    this.write('doctor-statuses', earlier.map((each) => `${each}\n`).join(''))
    const statuses = `${this.root}/doctor-statuses`
    const script = [
      '#!/bin/bash',
      `status=$(head --lines=1 ${statuses}); sed --in-place 1d ${statuses}`,
      `cat <<'LINES'\n${lines}\nLINES`,
      `exit "\${status:-${status}}"`,
    ]
    this.#program('usr/local/bin/imgpipe', `${script.join('\n')}\n`)
  }

  write(path: string, content: string): void {
    writeFileSync(join(this.root, path), content)
  }

  removeFile(path: string): void {
    rmSync(join(this.root, path))
  }

  /** The volume appears as on a Nitro instance, with a file system of `type` on it. */
  addVolume({ type, attached = true }: { type?: string; attached?: boolean } = {}): string {
    const device = join(this.root, 'dev/nvme1n1')
    writeFileSync(device, Buffer.alloc(1_048_576))
    if (type !== undefined) writeFileSync(`${device}.type`, `${type}\n`)
    const link = 'dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0'
    if (attached) symlinkSync('../../nvme1n1', join(this.root, link))
    return device
  }

  /** Runs the user data to its end. */
  boot(userData: string): { status: number | null; calls: string[]; signals: Signal[]; log: string } {
    this.#program('tmp/user-data', userData)
    const { status, stdout, stderr } = this.#run(join(this.root, 'tmp/user-data'), [])
    const signals = this.#lines('signals').map((line): Signal => JSON.parse(line))
    return { status, calls: this.calls(), signals, log: `${stdout}${stderr}` }
  }

  /** Runs results-volume.sh by itself. */
  prepareVolume(...args: string[]): { status: number | null; stdout: string; stderr: string } {
    const script = join(this.root, 'project/imgpipe-1.0.0/deploy/aws/results-volume.sh')
    return this.#run(script, args, { AWS_DEFAULT_REGION: 'us-east-1' })
  }

  /** How stand-ins were called, without those that only look or wait. */
  calls(): string[] {
    return this.allCalls().filter((call) => !/^(sleep|timeout|blkid|findmnt|journalctl) /.test(call))
  }

  allCalls(): string[] {
    return this.#lines('calls')
  }

  get settingsFile(): string {
    return join(this.root, 'etc/imgpipe/imgpipe.json')
  }

  remove(): void {
    rmSync(this.root, { recursive: true })
  }

  #run(program: string, args: readonly string[], environment: Record<string, string> = {}) {
    const env = { PATH: join(this.root, 'bin'), SANDBOX: this.root, TMPDIR: join(this.root, 'tmp') }
    return spawnSync(program, args, { env: { ...env, ...environment }, encoding: 'utf8' })
  }

  #lines(path: string): string[] {
    return readFileSync(join(this.root, path), 'utf8').split('\n').slice(0, -1)
  }

  #standIn(name: string, path: string): void {
    copyFileSync(join(standIns, name), join(this.root, path))
  }

  /** Writes a script; absolute paths in it lead into this directory. */
  #program(path: string, script: string): void {
    const paths =
      /(?<=[\s"'=<>(])\/(opt\/aws|var\/log|var\/lib|etc|usr\/src|usr\/local|dev(?!\/(?:null|zero)))\//g
    this.write(path, script.replace(paths, `${this.root}/$1/`))
    chmodSync(join(this.root, path), 0o755)
  }
}
