import { type ChildProcess, spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface WorkerOptions {
  /** of imgpipe: `['read', '--once']` */
  readonly arguments: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** a module that is loaded before the program: `node --import` */
  readonly preload?: string | undefined
}

/** How a process ended: one of the two is set. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const cli = new URL('../../src/cli.ts', import.meta.url).pathname
/** Processes are started by the hundred: what V8 made of the sources is kept between them. */
const compileCache = join(tmpdir(), 'imgpipe-test-compile-cache')
const running = new Set<WorkerProcess>()

/** `imgpipe` as a process of its own, with nothing of this process's environment but the path. */
export class WorkerProcess {
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  readonly #watchers = new Set<() => void>()
  #log = ''
  #exit: Exit | undefined

  static start({ arguments: words, environment, preload }: WorkerOptions): WorkerProcess {
    const flags = preload === undefined ? [] : ['--import', preload]
    const child = spawn(process.execPath, [...flags, cli, ...words], {
      env: { PATH: process.env.PATH ?? '', NODE_COMPILE_CACHE: compileCache, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new WorkerProcess(child)
  }

  private constructor(child: ChildProcess) {
    this.#child = child
    running.add(this)
    const hear = (chunk: Buffer) => {
      this.#log += chunk
      this.#tell()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        running.delete(this)
        this.#exit = { code, signal }
        this.#tell()
        resolve(this.#exit)
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** all that the process has said so far */
  get log(): string {
    return this.#log
  }

  /** undefined while it runs */
  get exit(): Exit | undefined {
    return this.#exit
  }

  /** @returns when the process has said this. @throws when it ends without */
  async said(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#log)) {
      if (this.#exit) throw new Error(`imgpipe ended without saying ${pattern}:\n${this.#log}`)
      await this.#news()
    }
  }

  /** SIGKILL. @returns when the process is gone */
  kill(): Promise<Exit> {
    return this.signal('SIGKILL').exited
  }

  /** SIGTERM. @returns when the process has ended by itself */
  stop(): Promise<Exit> {
    return this.signal('SIGTERM').exited
  }

  signal(name: NodeJS.Signals): this {
    this.#child.kill(name)
    return this
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#watchers.add(resolve))
  }

  #tell(): void {
    for (const watcher of this.#watchers) watcher()
    this.#watchers.clear()
  }
}

/** For the end of each test: a process that is left running fails the test that left it, and shows what it was doing. */
export async function killLeftWorkers(): Promise<number> {
  const left = [...running]
  await Promise.all(left.map((worker) => worker.signal('SIGCONT').kill()))
  for (const { pid, log } of left) console.error(`worker process ${pid} was left running:\n${log}`)
  return left.length
}
