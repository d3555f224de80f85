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

  constructor() {
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }))
    for (const path of ['etc/systemd/system', 'usr/bin', 'state', 'invocations', 'proc', 'tmp', 'source/src'])
      mkdirSync(this.path(path), { recursive: true })
    cpSync(standIns, this.#commands, { recursive: true })
    for (const name of recorded) symlinkSync('record', join(this.#commands, name))
    for (const name of ['id', 'sudo']) this.write(`bin/${name}`, '#!/bin/sh\n', 0o755)
    for (const part of ['deploy', 'config', 'package.json', 'package-lock.json'])
      cpSync(join(project, part), this.path(`source/${part}`), { recursive: true })
    this.change('1')
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
processes=$prefix/proc lock_poll_seconds=0 arch=x64
check_host() { missing=(); check_source; check_volume; stop_if_missing; }
check_rights() { :; }
ensure_node() { node=${this.#commands}/node-24 npm=(npm); }
# The installer of another release begins as another process, in which these lines would be missing.
exec() { if [[ \${1:-} == */install.sh ]]; then printf 'exec %s rollback=%s\\n' "$*" "\${INSTALL_ROLLBACK:-no}"; exit; else builtin exec "$@"; fi; }
${script}`
    const { status, stdout, stderr } = spawnSync('bash', ['-c', driver], {
      encoding: 'utf8',
      // With a socket as its standard input bash reads ~/.bashrc.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${this.#commands}:${process.env.PATH}`,
        SANDBOX: this.root,
        TMPDIR: this.path('tmp'),
        LC_ALL: 'C.UTF-8',
      },
    })
    return { status, text: stdout + stderr }
  }
}
