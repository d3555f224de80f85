import { spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

const pageBytes = 4096

/** A file system of its own in memory, so small that it can be filled; only root may make one. */
export class SmallDisk {
  readonly path: string

  /**
   * @param inodes for so many files and directories, the root among them; 0 = no limit
   * @returns undefined where mounting is not allowed
   */
  static mount(path: string, kibibytes = 256, inodes = 0): SmallDisk | undefined {
    mkdirSync(path, { recursive: true })
    const options = `size=${kibibytes}k,nr_inodes=${inodes}`
    const isMounted = run('mount', '-t', 'tmpfs', '-o', options, 'imgpipe-test', path)
    return isMounted ? new SmallDisk(path) : undefined
  }

  private constructor(path: string) {
    this.path = path
  }

  get #filler(): string {
    return join(this.path, 'filler')
  }

  makeReadOnly(): void {
    run('mount', '-o', 'remount,ro', this.path)
  }

  /**
   * Takes all pages that are left; what is left of a page stays with the file whose page it is.
   *
   * @param leftPages but for so many
   */
  fill(leftPages = 0): void {
    try {
      for (;;) appendFileSync(this.#filler, Buffer.alloc(pageBytes))
    } catch {
      // That is what full means.
    }
    truncateSync(this.#filler, Math.max(0, statSync(this.#filler).size - leftPages * pageBytes))
  }

  /** Gives back the room that `fill` took. */
  makeRoom(): void {
    rmSync(this.#filler)
  }

  unmount(): void {
    run('umount', '-l', this.path)
  }
}

function run(command: string, ...words: string[]): boolean {
  return spawnSync(command, words).status === 0
}
