import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const sources = new URL('../../src/', import.meta.url)
const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']

/** Whether processes of another user can be started here and can reach the project's files. */
export function canRunAsNobody(): boolean {
  const [command = '', ...args] = [...asNobody, process.execPath, '-e', `import('${sources}state/lock.ts')`]
  return spawnSync(command, args).status === 0
}

/** A Node process of its own that runs a few lines with the project's modules: `load('state/lock.ts')`. */
export class Script {
  static readonly #running = new Set<Script>()
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #exited: Promise<unknown>

  constructor(source: string, { user, flags = [] }: { user?: 'nobody'; flags?: string[] } = {}) {
    const node = [process.execPath, ...flags, '--input-type=module', '-e', `${prelude}${source}`]
    const [command = '', ...args] = user ? [...asNobody, ...node] : node
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    this.#exited = once(child, 'close')
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    Script.#running.add(this)
  }

  /** @returns what the script reported next, undefined when it has ended */
  async next(): Promise<unknown> {
    const { value, done } = await this.#lines.next()
    return done ? undefined : JSON.parse(value)
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exited
    Script.#running.delete(this)
  }

  static async killAll(): Promise<void> {
    await Promise.all([...Script.#running].map((script) => script.kill()))
  }
}

/** Runs a script and returns what it reported last. */
export async function result(source: string, options?: { user?: 'nobody' }): Promise<unknown> {
  const script = new Script(source, options)
  let last: unknown
  for (let value = await script.next(); value !== undefined; value = await script.next()) last = value
  return last
}

const prelude = `
  import { writeSync } from 'node:fs'
  const load = (path) => import('${sources}' + path)
  const report = (value) => writeSync(1, JSON.stringify(value ?? null) + '\\n')
  const openDatabase = async (path, schema) => {
    const { StateDatabase } = await load('state/database.ts')
    return StateDatabase.open({ path, schema, version: 3, waitForSpace: async () => 'stop' })
  }
  const failure = (error) => ({ reason: error.reason, message: error.message })
`
