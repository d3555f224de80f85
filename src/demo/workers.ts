import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import type { DemoPlace } from './place.ts'

const program = fileURLToPath(new URL('../cli.ts', import.meta.url))
const lifeline = new URL('./lifeline.ts', import.meta.url).href

interface Worker {
  readonly role: 'detector' | 'reader'
  readonly log: string
  readonly process: ChildProcess
}

/**
 * Both workers at once, as real processes, until the reader has finished the run.
 *
 * @param signal stops both, as systemd would
 * @throws {ImgpipeError} when one ends otherwise, with what it said last; the other is stopped then
 */
export async function runWorkers(url: string, place: DemoPlace, signal: AbortSignal): Promise<void> {
  const workers = [
    startWorker('reader', ['read', '--once'], url, place),
    startWorker('detector', ['detect'], url, place),
  ]
  const stopAll = () => {
    for (const { process } of workers) process.kill()
  }
  signal.addEventListener('abort', stopAll)
  if (signal.aborted) stopAll()
  const ends = workers.map(async (worker) => {
    const problem = await problemOf(worker)
    if (problem !== undefined) stopAll()
    return problem
  })
  const problems = (await Promise.all(ends)).filter((problem) => problem !== undefined)
  const [first] = problems
  if (first !== undefined && !signal.aborted) throw first
}

/** As systemd would start it: with the settings and the cloud's address, and nothing of the caller's environment. */
function startWorker(role: Worker['role'], words: string[], url: string, place: DemoPlace): Worker {
  const log = place.logs[role]
  const file = openSync(log, 'w')
  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    // The caller's own account has no part in it.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  }
  const args = ['--import', lifeline, program, ...words, '--config', place.settingsFile]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', file, file, 'ipc'] })
  return { role, log, process: child }
}

/** @returns how a worker ended, where it should not have ended so */
async function problemOf({ role, log, process }: Worker): Promise<ImgpipeError | undefined> {
  const [code, signal] = await once(process, 'exit')
  if (code === 0) return undefined
  const said = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n  ')
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`
  return new ImgpipeError(
    'unavailable',
    `The ${role} ended ${how}; the last that it said (${log}):\n  ${said}`,
  )
}
