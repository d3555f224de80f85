import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { project } from './command.ts'

const standIns = join(project, 'test/deploy/stand-ins')
/** Commands that would change the host: they are only recorded. */
const recorded = ['chown', 'systemd-analyze', 'systemd-sysusers', 'userdel', 'xfs_growfs']

export interface Ended {
  readonly status: number | null
  /** both streams */
  readonly text: string
}

/**
 * A directory that stands for a host: the installer of this project works on it as it is, with this directory in front of
 * its paths. Of the host's own commands only those that would change it are stand-ins.
 */
export class Sandbox {
  readonly root = mkdtempSync(join(tmpdir(), 'imgpipe-host-'))
  readonly #commands = join(this.root, 'bin')
  /** links to commands of this machine, in a directory that nothing writes to: a write would follow them */
  readonly #tools = join(this.root, 'tools')
  #isIsolated = false

  /** @param unpacked a release archive, unpacked, that is the source instead of this checkout */
  constructor(unpacked?: string) {
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }))
    for (const path of ['etc/systemd/system', 'usr/bin', 'state', 'invocations', 'proc', 'tmp', 'source/src'])
      mkdirSync(this.path(path), { recursive: true })
    cpSync(standIns, this.#commands, { recursive: true })
    for (const name of recorded) symlinkSync('record', join(this.#commands, name))
    for (const name of ['id', 'sudo']) this.write(`bin/${name}`, '#!/bin/sh\n', 0o755)
    if (unpacked !== undefined) {
      spawnSync('cp', ['--archive', '--link', `${unpacked}/.`, this.path('source')])
      return
    }
    for (const part of ['deploy', 'config', 'package.json', 'package-lock.json'])
      cpSync(join(project, part), this.path(`source/${part}`), { recursive: true })
    this.change('1')
  }

  /** From now on the installer has no network (as far as these tests run as root), and none of the commands `lacking`. */
  isolate(lacking: RegExp): void {
    for (const name of readdirSync(this.#commands)) if (lacking.test(name)) rmSync(join(this.#commands, name))
    mkdirSync(this.#tools)
    for (const directory of ['/usr/bin', '/usr/sbin'])
      for (const name of readdirSync(directory)) {
        const link = join(this.#tools, name)
        if (!lacking.test(name) && !existsSync(link)) symlinkSync(join(directory, name), link)
      }
    this.#isIsolated = true
  }

  path(name: string): string {
    return join(this.root, name)
  }

  /** Makes the source another version. */
  change(version: string): void {
    this.write('source/src/cli.ts', `// ${version}\n`)
  }

  write(name: string, content: string, mode = 0o644): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    // A link is replaced, never followed.
    rmSync(this.path(name), { force: true })
    writeFileSync(this.path(name), content, { mode })
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8')
  }

  exists(name: string): boolean {
    return existsSync(this.path(name))
  }

  /** Names in a directory that do not start with a dot. */
  names(directory: string): string[] {
    return readdirSync(this.path(directory)).filter((name) => !name.startsWith('.'))
  }

  /** What a link such as `current` points at, without its directory. */
  release(link: string): string {
    return (
      readlinkSync(this.path(`opt/imgpipe/${link}`))
        .split('/')
        .at(-1) ?? ''
    )
  }

  /** The calls of stand-ins since the last look. */
  calls(): string[] {
    const calls = this.exists('calls') ? this.read('calls').trimEnd().split('\n') : []
    rmSync(this.path('calls'), { force: true })
    return calls
  }

  /** Runs functions of the installer. */
  sh(script: string): Ended {
    return this.#run(this.path('source'), script)
  }

  /** Runs the installer of the source. */
  install(...options: string[]): Ended {
    return this.sh(`main ${options.map((option) => `'${option}'`).join(' ')}`)
  }

  /** Runs the installer of an installed release, as `--rollback` does at its end. */
  installerOf(release: string, script: string): Ended {
    return this.#run(this.path(`opt/imgpipe/releases/${release}`), script)
  }

  #run(source: string, script: string): Ended {
    const driver = `prefix=${this.root}
. ${source}/deploy/install.sh
processes=$prefix/proc lock_poll_seconds=0 arch=${process.arch}
check_host() { missing=(); check_source; check_volume; stop_if_missing; }
check_rights() { :; }
ensure_node() { node=${this.#commands}/node-24 npm=(npm); }
# The installer of another release begins as another process, in which these lines would be missing.
exec() { if [[ \${1:-} == */install.sh ]]; then printf 'exec %s rollback=%s\\n' "$*" "\${INSTALL_ROLLBACK:-no}"; exit; else builtin exec "$@"; fi; }
${script}`
    const offline = this.#isIsolated && process.getuid?.() === 0 ? ['unshare', '--net'] : ['env']
    const { status, stdout, stderr } = spawnSync(
      offline[0] ?? '',
      [...offline.slice(1), 'bash', '-c', driver],
      {
        encoding: 'utf8',
        // With a socket as its standard input bash reads ~/.bashrc.
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          PATH: this.#isIsolated
            ? `${this.#commands}:${this.#tools}`
            : `${this.#commands}:${process.env.PATH}`,
          SANDBOX: this.root,
          TMPDIR: this.path('tmp'),
          LC_ALL: 'C.UTF-8',
        },
      },
    )
    return { status, text: stdout + stderr }
  }
}
