import { readFileSync } from 'node:fs'
import { type Finding, fail, ok } from './finding.ts'

/** The Node that runs this, against the `engines` of package.json. */
export function checkNode(version = process.versions.node): Finding {
  const min = minVersion()
  if (comparable(version) >= comparable(min)) return ok('Node', `version ${version}`)
  const remedy = `install Node ${min} or newer, or use "npm run imgpipe --", which brings its own`
  return fail('Node', 'settings', `version ${version} is too old`, remedy)
}

function minVersion(): string {
  const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return String(engines.node).replace(/^\D+/, '')
}

function comparable(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major * 10_000 + minor
}
