import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stack } from './stack.ts'
import { table, text } from './template.ts'

const attachedVolume = new URL('../../deploy/aws/attached-volume.sh', import.meta.url).pathname

/** The script that an instance of the stack, or of its launch template, runs at its first start. */
export function userDataOf(stack: Stack, name: string): string {
  const properties = stack.resources[name]?.properties ?? {}
  return text((properties.LaunchTemplateData ? table(properties.LaunchTemplateData) : properties).UserData)
}

/**
 * A folder that stands for a fresh instance. The script runs as it is, but for the folders it names, which lie in this
 * one; the programs of Amazon Linux that it calls are stand-ins, which write down how they were called.
 */
export class FreshInstance {
  readonly root = mkdtempSync(join(tmpdir(), 'imgpipe-first-boot-'))

  constructor() {
    for (const folder of ['opt/aws/bin', 'var/log', 'etc', 'usr/src', 'dev/disk/by-id', 'tmp']) {
      mkdirSync(join(this.root, folder), { recursive: true })
    }
    writeFileSync(join(this.root, 'calls'), '')
    this.#standIn('dnf', '')
    this.#standIn('cfn-signal', '')
    this.#project()
  }

  /** What the sources hold: an installer that says SAYING and ends with STATUS. */
  #project(): void {
    const deploy = join(this.root, 'project/imgpipe-1.0.0/deploy')
    mkdirSync(join(deploy, 'aws'), { recursive: true })
    this.installerSays('done', 0)
    const script = readFileSync(attachedVolume, 'utf8').replaceAll('/dev/', `${this.root}/dev/`)
    this.#program(join(deploy, 'aws/attached-volume.sh'), script.replaceAll(':-300', ':-0'))
    const pack = `tar --create --gzip --file "\${!#}" --directory ${this.root}/project imgpipe-1.0.0`
    this.#standIn('git', `cp --recursive ${this.root}/project/imgpipe-1.0.0/. "\${!#}"`)
    this.#standIn('aws', pack)
    this.#standIn('curl', `set -- "\${@:1:$#-1}"; ${pack}`)
  }

  installerSays(saying: string, status: number): void {
    const path = join(this.root, 'project/imgpipe-1.0.0/deploy/install.sh')
    this.#program(path, `#!/bin/bash\n${this.#record('install.sh')}\necho '${saying}'\nexit ${status}\n`)
  }

  /** Takes the installer out of the sources: they are then of something else. */
  withoutInstaller(): void {
    rmSync(join(this.root, 'project/imgpipe-1.0.0/deploy/install.sh'))
  }

  /** Runs the script to its end; the exit status, and the calls it made, one a line. */
  boot(script: string): { status: number | null; calls: string[]; settingsFile: string } {
    const local = script.replace(/(?<=[\s"(>=])\/(opt\/aws|var\/log|etc|usr\/src)\//g, `${this.root}/$1/`)
    const file = join(this.root, 'tmp/user-data')
    this.#program(file, local)
    const { status } = spawnSync(
      'bash',
      ['-c', `exec "${file}" >"${this.root}/var/log/cloud-init-output.log" 2>&1`],
      {
        env: { PATH: `${this.root}/opt/aws/bin:/usr/bin:/bin` },
      },
    )
    const calls = readFileSync(join(this.root, 'calls'), 'utf8').split('\n').slice(0, -1)
    return { status, calls, settingsFile: join(this.root, 'etc/imgpipe/imgpipe.json') }
  }

  remove(): void {
    rmSync(this.root, { recursive: true })
  }

  #standIn(name: string, does: string): void {
    this.#program(join(this.root, 'opt/aws/bin', name), `#!/bin/bash\n${this.#record(name)}\n${does}\n`)
  }

  #record(name: string): string {
    return `echo "${name} $*" >>${this.root}/calls`
  }

  #program(path: string, content: string): void {
    writeFileSync(path, content)
    chmodSync(path, 0o755)
  }
}
