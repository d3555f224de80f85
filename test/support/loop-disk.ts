import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const sizeBytes = 48 * 1024 * 1024
/** The journal is written only when somebody syncs: a power loss takes everything else away. */
const options = 'loop,commit=900'

/**
 * A file system that can lose power: ext4 over a loop device, whose backing file is what a disk would hold. What was
 * written and not synced is in the page cache of the file system above and not in that file. Only root may make one.
 */
export class LoopDisk {
  readonly path: string
  readonly #file: string
  #losses = 0
  #mounted: string

  /** @param file where the backing file is put. @returns undefined where mounting is not allowed */
  static mount(path: string, file: string): LoopDisk | undefined {
    writeFileSync(file, '')
    truncateSync(file, sizeBytes)
    const isMounted = run('mkfs.ext4', '-q', '-F', file) && run('mount', '-o', options, file, path)
    return isMounted ? new LoopDisk(path, file) : undefined
  }

  private constructor(path: string, file: string) {
    this.path = path
    this.#file = file
    this.#mounted = file
  }

  /** Everything that was written so far is on the disk. */
  sync(): void {
    run('sync', '--file-system', this.path)
  }

  /**
   * Power fails: the process that writes here is gone, and the disk holds what it held at that moment.
   *
   * @param pid a process that writes to this disk, the only one. @param kill ends it
   */
  async losePower(pid: number, kill: () => Promise<unknown>): Promise<void> {
    process.kill(pid, 'SIGSTOP')
    while (!isStopped(pid)) await delay(1)
    const copy = `${this.#file}.${++this.#losses}`
    if (!run('cp', '--sparse=always', this.#mounted, copy)) throw new Error('the disk could not be copied')
    await kill()
    await this.#unmount()
    this.#mounted = copy
    if (!run('mount', '-o', options, copy, this.path))
      throw new Error('the copy of the disk cannot be mounted')
  }

  async unmount(): Promise<void> {
    await this.#unmount()
  }

  /** The last files may be closed a moment after the process is gone. */
  async #unmount(): Promise<void> {
    for (let tries = 0; !run('umount', this.path); tries++) {
      if (tries > 100) throw new Error(`${this.path} cannot be unmounted`)
      await delay(50)
    }
  }
}

/** Whether no thread of a process runs any more: one that syncs is stopped only when it has returned. */
function isStopped(pid: number): boolean {
  const threads = readdirSync(`/proc/${pid}/task`)
  return threads.every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')
    return /\) [TtZ] /.test(stat)
  })
}

function run(command: string, ...words: string[]): boolean {
  return spawnSync(command, words).status === 0
}
