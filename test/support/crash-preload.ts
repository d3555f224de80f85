/**
 * Loaded before a worker (`node --import`), so that it dies at one step exactly: CRASH_AT names the step as in
 * `before COMMIT reader.sqlite 2` (the second time), and the process kills itself there as kill -9 would. With STEPS_FILE
 * every step is written to that file. The worker itself knows nothing of this.
 */
import { appendFileSync, promises as fs } from 'node:fs'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const { CRASH_AT: crashAt, STEPS_FILE: stepsFile } = process.env
const passed = new Map<string, number>()

function pass(step: string): void {
  const times = (passed.get(step) ?? 0) + 1
  passed.set(step, times)
  if (stepsFile) appendFileSync(stepsFile, `${step} ${times}\n`)
  if (`${step} ${times}` === crashAt) process.kill(process.pid, 'SIGKILL')
}

/** Makes a method of `owner` two steps: before and after. */
function watch(owner: object, method: string, nameOf: (self: object, given: unknown[]) => string): void {
  const original: unknown = Reflect.get(owner, method)
  if (typeof original !== 'function') throw new Error(`there is no ${method} to watch`)
  Reflect.set(owner, method, async function watched(this: object, ...given: unknown[]) {
    const name = `${method} ${nameOf(this, given)}`
    pass(`before ${name}`)
    const result: unknown = await Reflect.apply(original, this, given)
    pass(`after ${name}`)
    return result
  })
}

/** File names are the same in every run, but for the run's own directory and the state directory. */
function shortName(path: unknown): string {
  if (path === process.env.IMGPIPE_STATE_DIR) return 'STATE'
  return basename(String(path)).replace(/^\d{8}T\d{6}Z-\w{4}/, 'RUN')
}

const paths = new WeakMap<object, string>()

async function watchFiles(): Promise<void> {
  const self = await fs.open(process.execPath)
  const handles: object = Object.getPrototypeOf(self)
  await self.close()
  const { open } = fs
  fs.open = async (path, ...rest) => {
    const handle = await open(path, ...rest)
    paths.set(handle, shortName(path))
    return handle
  }
  for (const method of ['appendFile', 'datasync', 'sync', 'truncate'])
    watch(handles, method, (handle) => paths.get(handle) ?? 'a file')
  for (const method of ['rename', 'copyFile'] as const) watch(fs, method, (_, [, to]) => shortName(to))
  for (const method of ['mkdir', 'rm'] as const) watch(fs, method, (_, [path]) => shortName(path))
}

/** A commit is the one step of the database that makes anything durable. */
function watchCommits(): void {
  const { exec } = DatabaseSync.prototype
  DatabaseSync.prototype.exec = function watched(this: DatabaseSync, sql: string): void {
    const name = sql === 'COMMIT' ? `COMMIT ${shortName(this.location())}` : undefined
    if (name) pass(`before ${name}`)
    exec.call(this, sql)
    if (name) pass(`after ${name}`)
  }
}

function watchRequests(): void {
  const { request } = http
  const watched = (...given: unknown[]): http.ClientRequest => {
    const name = operationOf(Object(given[0]))
    pass(`before ${name}`)
    const made: http.ClientRequest = Reflect.apply(request, http, given)
    made.prependOnceListener('response', () => pass(`after ${name}`))
    return made
  }
  http.request = watched
}

function operationOf({
  method,
  path,
  headers,
}: {
  method?: string
  path?: string
  headers?: Record<string, string>
}): string {
  const target = headers?.['x-amz-target']?.split('.')[1]
  return target ?? `${method} ${String(path).includes('list-type') ? 'listing' : 'object'}`
}

await watchFiles()
watchCommits()
watchRequests()
syncBuiltinESMExports()
