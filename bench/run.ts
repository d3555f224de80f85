import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * `npm run bench`: all benchmarks, one after the other; `npm run bench -- quota latency` some of them.
 * One with options of its own: `node bench/quota.ts --quotas 5 --ways imgpipe`.
 */
const all = ['start', 'quota', 'latency', 'cost', 'reuse', 'memory', 'publish']
const names = process.argv.slice(2)
const unknown = names.filter((name) => !all.includes(name))
if (unknown.length > 0) {
  console.error(`There is no benchmark "${unknown.join('", "')}": choose of ${all.join(', ')}.`)
  process.exit(64)
}
for (const name of names.length > 0 ? names : all) {
  const file = new URL(`./${name}.ts`, import.meta.url).pathname
  const [code] = await once(spawn(process.execPath, [file], { stdio: 'inherit' }), 'close')
  if (code !== 0) process.exitCode = 1
}
