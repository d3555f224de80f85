import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { devNull } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ImgpipeError } from '../host/exit-codes.ts'
import type { Role } from '../state/role.ts'
import type { DemoPaths } from './paths.ts'

const program = fileURLToPath(new URL('../cli.ts', import.meta.url))
const parentWatch = new URL('./parent-watch.ts', import.meta.url).href

interface Worker {
  readonly role: Role
  readonly log: string
  readonly process: ChildProcess
}

/**
 * Runs both workers, as real processes, until the run is complete.
 *
 * @param signal stops both with SIGTERM, as systemd does
 * @throws {ImgpipeError} when one of them fails, with the last lines of its log; the other one is then stopped
 */
export async function runWorkers(url: string, paths: DemoPaths, signal: AbortSignal): Promise<void> {
  const workers = [
    startWorker('reader', ['read', '--once'], url, paths),
    startWorker('detector', ['detect'], url, paths),
  ]
  const stopAll = () => {
    for (const { process } of workers) process.kill()
  }
  signal.addEventListener('abort', stopAll)
  if (signal.aborted) stopAll()
  const exits = workers.map(async (worker) => {
    const problem = await exitProblem(worker)
    if (problem !== undefined) stopAll()
    return problem
  })
  const problems = (await Promise.all(exits)).filter((problem) => problem !== undefined)
  const [first] = problems
  if (first !== undefined && !signal.aborted) throw first
}

/** Starts a worker as systemd does: with the settings and the cloud's URL, without the caller's environment. */
function startWorker(role: Role, words: string[], url: string, paths: DemoPaths): Worker {
  const log = paths.logs[role]
  const file = openSync(log, 'w')
  const env = {
    AWS_ENDPOINT_URL: url,
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    // Isolates the demo from the caller's AWS profile.
    AWS_CONFIG_FILE: devNull,
    AWS_SHARED_CREDENTIALS_FILE: devNull,
  }
  const args = ['--import', parentWatch, program, ...words, '--config', paths.settingsFile]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', file, file, 'ipc'] })
  return { role, log, process: child }
}

/** @returns an error if the worker failed */
async function exitProblem({ role, log, process }: Worker): Promise<ImgpipeError | undefined> {
  const [code, signal] = await once(process, 'exit')
  if (code === 0) return undefined
  const lastLines = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n  ')
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`
  return new ImgpipeError(
    'unavailable',
    `The ${role} ended ${how}; last lines of its log (${log}):\n  ${lastLines}`,
  )
}
