import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

export interface FileOptions {
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
}

/** What a command has printed on both streams, and how it has ended. */
export interface Ended {
  readonly code: number | null
  readonly text: string
  readonly lines: readonly string[]
}

/**
 * A directory with what deploy/install.sh leaves on a host, and real owners and modes: needs root. The user imgpipe of the host
 * is a number here, that of nobody.
 */
export class InstalledHost {
  static readonly imgpipe = 65_534
  /** an operator without root */
  static readonly admin = 64_123
  readonly root = mkdtempSync(join(tmpdir(), 'imgpipe-host-'))
  readonly credentialsFile = join(this.root, 'etc/imgpipe/credentials')
  readonly stateDir = join(this.root, 'var/lib/imgpipe')

  constructor() {
    chmodSync(this.root, 0o755)
    const id = InstalledHost.imgpipe
    this.write(
      'etc/passwd',
      `root:x:0:0::/root:/bin/sh\nimgpipe:x:${id}:${id}::/var/lib/imgpipe:/sbin/nologin\n`,
    )
    for (const path of ['etc/imgpipe', 'var/lib/imgpipe', 'etc/systemd/system', 'home/admin/.aws'])
      mkdirSync(join(this.root, path), { recursive: true })
    chownSync(join(this.root, 'etc/imgpipe'), 0, id)
    chmodSync(join(this.root, 'etc/imgpipe'), 0o2755)
    chownSync(this.stateDir, id, id)
    this.write('opt/imgpipe/role', 'both\n')
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }

  /** Writes a file below the root. @returns its path */
  write(path: string, content: string, { mode = 0o644, uid = 0, gid = 0 }: FileOptions = {}): string {
    const file = join(this.root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    chownSync(file, uid, gid)
    chmodSync(file, mode)
    return file
  }

  /** The credentials of the units, as they should be. */
  credentials(content: string, options: FileOptions = {}): void {
    this.write('etc/imgpipe/credentials', content, { mode: 0o640, gid: InstalledHost.imgpipe, ...options })
  }

  settings(values: object, pipeline = 'imgpipe'): void {
    this.write(`etc/imgpipe/${pipeline}.json`, JSON.stringify(values))
  }

  /** @param uid who calls: root, or another user in a shell of their own */
  async run(
    words: readonly string[],
    { uid = 0, environment = {}, input = '' }: { uid?: number; environment?: object; input?: string } = {},
  ): Promise<Ended> {
    const child = spawn(process.execPath, [cli, ...words], {
      uid,
      gid: uid,
      env: {
        PATH: process.env.PATH,
        HOME: join(this.root, 'home/admin'),
        IMGPIPE_HOST_ROOT: this.root,
        ...environment,
      },
      stdio: 'pipe',
    })
    // A command that does not read its input closes it early.
    child.stdin.on('error', () => undefined).end(input)
    const [out, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    const all = `${out}${errors}`
    return { code, text: all, lines: all.trimEnd().split('\n') }
  }
}
