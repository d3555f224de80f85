import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { baseTree, workDirectory } from './base.ts'
import { must, type Outcome, run, until } from './command.ts'

export interface MachineOptions {
  /** devices or directories of the host to be seen in it */
  readonly binds?: readonly string[]
  /** it has a network of its own, in which there is nothing but 127.0.0.1 */
  readonly isOffline?: boolean
}

/**
 * A host of its own, booted by systemd in a container: own files, processes, users and units. Unless it is offline, it
 * shares the network with the host that tests run on, so that 127.0.0.1 is the same in all of them.
 */
export class Machine {
  readonly name: string
  readonly #tree: string
  readonly #options: MachineOptions
  #container: ChildProcess
  #init = 0

  /** A freshly installed Debian 12, booted. */
  static async boot(name: string, options: MachineOptions = {}): Promise<Machine> {
    const tree = `${workDirectory}/${name}`
    await rm(tree, { recursive: true, force: true })
    await must('cp', ['--archive', '--reflink=auto', baseTree, tree])
    const machine = new Machine(name, tree, options)
    await machine.#booted()
    return machine
  }

  private constructor(name: string, tree: string, options: MachineOptions) {
    this.name = name
    this.#tree = tree
    this.#options = options
    this.#container = this.#start()
  }

  #start(): ChildProcess {
    const log = openSync(`${this.#tree}.log`, 'a')
    const { binds = [], isOffline = false } = this.#options
    const options = ['--register=no', '--keep-unit', '--boot', '--console=pipe', `--hostname=${this.name}`]
    if (isOffline) options.push('--private-network')
    const args = [`--directory=${this.#tree}`, ...options, ...binds.map((path) => `--bind=${path}`)]
    return spawn('systemd-nspawn', args, {
      stdio: ['ignore', log, log],
      // cgroup 2 inside, as on the hosts that imgpipe is for.
      env: { ...process.env, SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
    })
  }

  async #booted(): Promise<void> {
    await until(`${this.name} has booted (its console: ${this.#tree}.log)`, async () => {
      const { stdout } = await run('pgrep', ['--parent', String(this.#container.pid)])
      this.#init = Number(stdout.split('\n')[0])
      if (!this.#init) return false
      const state = await this.try('systemctl is-system-running')
      return /running|degraded/.test(state.stdout)
    })
  }

  /** Restarts the host: everything but its files is new. */
  async reboot(): Promise<void> {
    const down = once(this.#container, 'exit')
    await this.try('systemctl reboot')
    // With --keep-unit the container ends when it reboots: starting it again is for whoever manages it.
    await down
    this.#container = this.#start()
    await this.#booted()
  }

  /** Runs a shell script as root, whatever comes of it. */
  try(script: string): Promise<Outcome> {
    return run('nsenter', this.#inside(script))
  }

  /** Runs a shell script as root. @returns what it prints. @throws when it fails */
  sh(script: string): Promise<string> {
    return must('nsenter', this.#inside(script))
  }

  /** Runs a shell script as somebody without any rights. @throws when it fails */
  asVisitor(script: string): Promise<string> {
    return must('nsenter', this.#inside(`cd / && exec runuser --user visitor -- bash -c ${quoted(script)}`))
  }

  /** Writes a file in one step (a new one in the place of the old one). */
  async write(path: string, content: string, mode = '0644', owner = 'root:root'): Promise<void> {
    await mkdir(dirname(`${this.#tree}${path}`), { recursive: true })
    await writeFile(`${this.#tree}${path}.new`, content)
    await this.sh(`chown ${owner} ${path}.new && chmod ${mode} ${path}.new && mv ${path}.new ${path}`)
  }

  read(path: string): Promise<string> {
    return readFile(`${this.#tree}${path}`, 'utf8')
  }

  /** Copies directories and files of the host, named relative to `from`, into the directory `to` of the machine. */
  async copyIn(from: string, names: readonly string[], to: string): Promise<void> {
    await mkdir(`${this.#tree}${to}`, { recursive: true })
    await must('cp', ['--recursive', ...names.map((name) => `${from}/${name}`), `${this.#tree}${to}/`])
  }

  /** A property of a unit, as `systemctl show` knows it. */
  async property(unit: string, name: string): Promise<string> {
    return (await this.sh(`systemctl show --value --property=${name} ${unit}`)).trim()
  }

  /** Everything under the directories: name, rights, owner, size, time of change, target. */
  tree(...directories: string[]): Promise<string> {
    return this.sh(`find ${directories.join(' ')} -printf '%p %M %u:%g %s %T@ %l\\n' | LC_ALL=C sort`)
  }

  /** Shuts the machine down and takes its files away. */
  async stop(): Promise<void> {
    const gone = once(this.#container, 'exit')
    if (this.#container.exitCode === null) {
      this.#container.kill('SIGTERM')
      await gone
    }
    await rm(this.#tree, { recursive: true, force: true })
  }

  #inside(script: string): string[] {
    const environment = [
      'HOME=/root',
      'LANG=C.UTF-8',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ]
    const setUp = 'cd /root; [ ! -e .imgpipe-test-environment ] || export $(cat .imgpipe-test-environment);'
    const namespaces = ['--mount', '--uts', '--ipc', '--pid', ...(this.#options.isOffline ? ['--net'] : [])]
    return [
      '--target',
      String(this.#init),
      ...namespaces,
      'env',
      '-i',
      ...environment,
      'bash',
      '-c',
      `${setUp} ${script}`,
    ]
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
