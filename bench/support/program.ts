import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a finished process has used. */
export interface Usage {
  /** User and system time, ms. */
  cpuMs: number
  /** The most that was resident, MB. */
  peakMb: number
  /** When it was started, ms since 1970. */
  startedAt: number
  endedAt: number
}

const preload = new URL('./report-usage.ts', import.meta.url).href
/** As the systemd units have it: what V8 made of the sources is kept between runs. */
const compileCache = join(tmpdir(), 'imgpipe-bench-compile-cache')
export const cli = new URL('../../src/cli.ts', import.meta.url).pathname

/**
 * Runs a Node program to its end, with an environment of its own.
 * @throws when it exits with another code than 0, with what it said
 */
export async function runProgram(
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Usage> {
  const directory = await mkdtemp(join(tmpdir(), 'imgpipe-bench-usage-'))
  const file = join(directory, 'usage.json')
  const startedAt = Date.now()
  const child = spawn(process.execPath, ['--import', preload, ...words], {
    env: {
      PATH: process.env.PATH ?? '',
      NODE_COMPILE_CACHE: compileCache,
      ...environment,
      BENCH_USAGE_FILE: file,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-4000)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  const endedAt = Date.now()
  if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}:\n${said}`)
  const usage = JSON.parse(await readFile(file, 'utf8')) as Pick<Usage, 'cpuMs' | 'peakMb'>
  await rm(directory, { recursive: true })
  return { ...usage, startedAt, endedAt }
}

/** Gives `use` a state directory that is gone afterwards. */
export async function withStateDir<T>(use: (stateDir: string) => Promise<T>): Promise<T> {
  const stateDir = await mkdtemp(join(tmpdir(), 'imgpipe-bench-'))
  try {
    return await use(stateDir)
  } finally {
    await rm(stateDir, { recursive: true, force: true })
  }
}
